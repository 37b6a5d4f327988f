"""How a run of entries came to differ from the signed one."""

from collections.abc import Sequence

from direct311.verifier.report import Fault, Finding, count


def describe_difference(
    signed: Sequence[bytes],
    found: Sequence[bytes],
    first: int,
    width: int,
    before: Sequence[bytes] = (),
) -> tuple[list[Finding], bool]:
    """Compare leaf hashes; the first hash on each side has the number `first` in the log.

    Reports only differences within the first `width`. `before` holds the signed hashes in front of
    them. The flag says whether later entries have moved, so that everything after this differs too.
    """
    findings: list[Finding] = []
    for at in range(min(width, len(signed))):
        index = first + at
        if at == len(found):
            says = f"it and {count(len(signed) - at - 1, 'entry')} after it are cut off"
            return [*findings, Finding(Fault.MISSING, says, index)], True
        wanted, there = signed[at], found[at]
        if there == wanted:
            continue
        moved_down = wanted in found[at + 1 : at + 2]
        earlier = [*before, *signed[:at]]
        if there in earlier:
            says = f"the entry here repeats entry {index - len(earlier) + earlier.index(there)}"
            return [*findings, Finding(Fault.DOUBLED, says, index)], moved_down
        if there in signed[at + 1 :]:
            other = signed.index(there, at + 1)
            if wanted in found[at + 1 :]:
                says = f"the entry here is entry {first + other}: entries have changed places"
                return [*findings, Finding(Fault.REORDERED, says, index)], False
            says = f"{count(other - at, 'entry')} dropped here; later ones have moved up"
            return [*findings, Finding(Fault.DROPPED, says, index)], True
        if moved_down:
            says = "the entry here was never signed; the signed entry has moved down"
            return [*findings, Finding(Fault.INSERTED, says, index)], True
        findings.append(Finding(Fault.CHANGED, "it is not the signed entry", index))
    if not findings:
        says = f"{count(len(found) - len(signed), 'entry')} too many after the signed ones"
        findings.append(Finding(Fault.INSERTED, says, first + len(signed)))
    return findings, False
