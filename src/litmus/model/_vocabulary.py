"""Vocabularies made of a dataset's training texts, by the `tokenizers` library."""

from collections.abc import Sequence

from litmus.spec import Tokens

PADDING, UNKNOWN = "[PAD]", "[UNK]"


def words(texts: Sequence[str], *, vocabulary_size: int, min_count: int, max_length: int) -> Tokens:
    """Whole words and runs of punctuation, in lower case; rarer ones are one token, `[UNK]`."""
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
    """Word pieces as BERT's (Wu et al. 2016), each text between `[CLS]` and `[SEP]`."""
    from tokenizers import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer()
    special = [PADDING, UNKNOWN, "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        texts, vocab_size=vocabulary_size, min_frequency=2, special_tokens=special, show_progress=False
    )
    # The library's own puts [CLS] and [SEP] around a text only if it knew them when it was made.
    from tokenizers.processors import BertProcessing

    tokenizer.post_processor = BertProcessing(
        ("[SEP]", tokenizer.token_to_id("[SEP]")), ("[CLS]", tokenizer.token_to_id("[CLS]"))
    )
    return Tokens(tokenizer.get_vocab_size(), tokenizer.token_to_id(PADDING), max_length, tokenizer.to_str())
