"""`python -m tests.redaction`: print precision and recall by kind on the labelled set."""

import sys

from tests.redaction.measure import UNSEEN, Score, read, score, table


def main() -> None:
    sentences = read()
    results: dict[str, Score] = {"all": score(sentences)}
    for language in ("en", "es", "ht"):
        some = [each for each in sentences if each.language == language]
        results[language] = score(some, kinds=frozenset({"name", "home_address"}))
    results["unseen"] = score(read(UNSEEN))
    whole = results["all"]
    sys.stdout.write(table(results) + "\n\n")
    sys.stdout.write(
        f"{whole.sentences} sentences, {sum(not each.labels for each in sentences)} of them with "
        f"nothing to take out; {whole.seconds / whole.sentences * 1e6:.0f} us a sentence\n"
    )


if __name__ == "__main__":
    main()
