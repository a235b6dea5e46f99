"""Which documents teach and which examine: as the file says, or stratified and always the same."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.datasets.document import TEST, TRAIN, LabelledDocument
from appliance.datasets.label_errors import DatasetError


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Documents by their use; `how` says in words who decided."""

    train: tuple[LabelledDocument, ...]
    test: tuple[LabelledDocument, ...]
    how: str


def split(
    documents: Sequence[LabelledDocument], *, test_share: float = 0.2, by_file: bool | None = None
) -> Split:
    """Split documents for training and test.

    Args:
        documents: All of them.
        test_share: Share of documents kept for the test where the file does not say.
        by_file: True: only as the file says; False: never; None: as the file says where it names test
            documents.

    Raises:
        DatasetError: One of the two parts would be empty.
    """
    said = any(document.dataset == TEST for document in documents)
    if by_file or (by_file is None and said):
        train = tuple(document for document in documents if document.dataset != TEST)
        test = tuple(document for document in documents if document.dataset == TEST)
        how = "as the project file says"
    else:
        test_names = {document.name for document in stratified(documents, test_share)}
        train = tuple(document for document in documents if document.name not in test_names)
        test = tuple(document for document in documents if document.name in test_names)
        how = f"{round(100 * test_share)} % of the documents, stratified by category"
    for part, name in ((train, TRAIN), (test, TEST)):
        if not any(document.labels for document in part):
            raise DatasetError(
                f"no labelled document of {len(documents)} is left for {name}",
                hint="label more, or name files with --train and --test, cut files of words with --sentences,"
                " mark documents of a project as Train or Test",
            )
    return Split(train=train, test=test, how=how)


def stratified(documents: Sequence[LabelledDocument], share: float) -> list[LabelledDocument]:
    """Return about so large a share of the documents, with every category in about that share.

    Always the same documents for the same names and labels, in whatever order they come. The rarest category
    is dealt first, each of its documents to the side that lacks it most (iterative stratification, Sechidis
    et al. 2011).
    """
    if not documents:
        return []
    ordered = sorted(documents, key=lambda document: hashlib.sha256(document.name.encode()).digest())
    counts = {document.name: Counter(label.category for label in document.labels) for document in ordered}
    wanted: Counter[str] = Counter()
    for table in counts.values():
        wanted.update(table)
    lacking = {name: share * count for name, count in wanted.items()}
    size = max(1, min(len(ordered) - 1, round(share * len(ordered)))) if len(ordered) > 1 else 0
    chosen: list[LabelledDocument] = []
    left = list(ordered)
    while left and size > len(chosen):
        present: Counter[str] = Counter()
        for document in left:
            present.update(set(counts[document.name]))
        if not present:
            chosen += left[: size - len(chosen)]
            break
        rarest = min(present, key=lambda name: (present[name], name))
        for document in [document for document in left if rarest in counts[document.name]]:
            left.remove(document)
            if len(chosen) < size and lacking[rarest] >= counts[document.name][rarest] / 2:
                chosen.append(document)
                for name, count in counts[document.name].items():
                    lacking[name] -= count
    if not chosen and size:
        chosen = ordered[:size]
    return chosen
