"""Vocabularies built from training texts by the `tokenizers` library."""

from collections import Counter
from collections.abc import Sequence

from litmus.spec import Tokens

PADDING, UNKNOWN = "[PAD]", "[UNK]"
SPECIAL = (PADDING, UNKNOWN, "[CLS]", "[SEP]", "[MASK]")  # of BERT
LARGEST_ALPHABET = 1000  # letters; all others are unknown. The library's own default


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

    untrained = BertWordPieceTokenizer()
    counts: Counter[str] = Counter()
    for text in texts:
        split = untrained.pre_tokenizer.pre_tokenize_str(untrained.normalizer.normalize_str(text))
        counts.update(word for word, _ in split)
    letters: Counter[str] = Counter()
    for word, count in counts.items():
        letters.update(dict.fromkeys(word, count))
    alphabet = sorted(letters, key=lambda letter: (-letters[letter], letter))[:LARGEST_ALPHABET]
    inner = sorted({letter for word in counts for letter in word[1:]} & set(alphabet))
    # The library numbers letters within words as it meets them in a hash table, whose order differs from run to run,
    # and breaks ties between pairs by these numbers. Given in advance, they and so all pieces are the same in each run.
    untrained.train_from_iterator(
        texts,
        vocab_size=vocabulary_size,
        min_frequency=2,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        special_tokens=[*SPECIAL, *(f"##{letter}" for letter in inner)],
        show_progress=False,
    )
    tokenizer = BertWordPieceTokenizer(untrained.get_vocab())
    return Tokens(tokenizer.get_vocab_size(), tokenizer.token_to_id(PADDING), max_length, tokenizer.to_str())
