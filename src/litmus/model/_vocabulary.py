"""Vocabularies built from training texts by the `tokenizers` library."""

from collections.abc import Sequence

from litmus.spec import Tokens

PADDING, UNKNOWN = "[PAD]", "[UNK]"


def words(texts: Sequence[str], *, vocabulary_size: int, min_count: int, max_length: int) -> Tokens:
    """A vocabulary of lower-case words and runs of punctuation; all others become the token `[UNK]`.

    Args:
        texts: of the training split.
        vocabulary_size: tokens at most, `[PAD]` and `[UNK]` included.
        min_count: rarer words are left out.
        max_length: texts are cut to so many tokens.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(
        vocab_size=vocabulary_size,
        min_frequency=min_count,
        special_tokens=[PADDING, UNKNOWN],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return Tokens(tokenizer.get_vocab_size(), 0, max_length, tokenizer.to_str())


def pieces(texts: Sequence[str], *, vocabulary_size: int, max_length: int) -> Tokens:
    """A vocabulary of word pieces like BERT's (Wu et al. 2016); each text is put between `[CLS]` and `[SEP]`.

    Args:
        texts: of the training split.
        vocabulary_size: tokens at most, special ones included.
        max_length: texts are cut to so many tokens, `[CLS]` and `[SEP]` included.
    """
    from tokenizers import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer()
    special = [PADDING, UNKNOWN, "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        texts, vocab_size=vocabulary_size, min_frequency=2, special_tokens=special, show_progress=False
    )
    # The library's class adds [CLS] and [SEP] only if its vocabulary had them before training.
    from tokenizers.processors import BertProcessing

    tokenizer.post_processor = BertProcessing(
        ("[SEP]", tokenizer.token_to_id("[SEP]")), ("[CLS]", tokenizer.token_to_id("[CLS]"))
    )
    return Tokens(tokenizer.get_vocab_size(), tokenizer.token_to_id(PADDING), max_length, tokenizer.to_str())
