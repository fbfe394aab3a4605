"""A linkage document: how any table of records is matched, in one YAML file that people can read.

The reference of every word is docs/reference/linkage.md; `rules/linkage/person.yaml` is the largest example.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from datasach.spec.load import Declared

Kind = Literal["person_name", "date", "id", "code", "place", "text"]


PARTS: dict[str, tuple[str, ...]] = {
    "person_name": ("given", "surname", "middle", "full", "sorted"),
    "date": ("", "year", "day", "day_month", "month_day"),
    "id": ("", "head", "tail"),
    "code": ("",),
    "place": ("", "larger"),
    "text": ("",),
}
"""Kind → parts that passes can block on; "" is the column itself."""


class Column(Declared):
    """One column that takes part, and what its values are."""

    kind: Kind
    column: str | None = None
    """Name in the records; default: the name it is declared under."""
    optional: bool = False
    """Records that lack the column are read as not knowing it."""
    only_same: bool = False
    """kind code: only agreement says something (a hospital's own number differs in every hospital)."""
    within: str | None = None
    """kind code: a place. How often two people have the same (a hospital) depends on whether they live in one place, so
    it is weighed apart where both do, where they live near, where they live far, and where that is not known."""
    year: str | None = None
    """kind date: the column that holds the birth year when the day is not known."""
    place_of: str | None = None
    """kind place: the column of the larger unit (a commune's province)."""
    merged: bool = False
    """kind place: read codes of communes from before 1 July 2025 as the communes they became."""
    citizen_id: bool = False
    """kind id: a Vietnamese personal id, whose sex, century and year can be checked."""
    agrees_with: dict[Literal["born", "sex"], str] = {}
    """kind id: the columns that a personal id must agree with to count as this person's own."""
    vietnamese: bool = True
    """kind text: fold Vietnamese letters and marks before comparing."""


class Pass(Declared):
    """Pairs that agree on all of these parts are compared."""

    on: list[str] = Field(min_length=1)
    """Column, or column.part: born.year, born.day_month, name.given, name.sorted, citizen_id.tail …"""
    at_most: int = 200
    """A value shared by more records than this makes no pairs by itself …"""
    split: list[str] = []
    """… but only together with these."""


class Kin(Declared):
    """People of one household share much: what they agree on says little about being one person."""

    pairs_per_record: float
    """Pairs of different people of one household, per record."""
    levels: dict[str, dict[str, float]]
    """Comparison → level → its probability for two different people of one household; what is not listed is
    as for strangers. `same` stands for all levels at which the values are equal."""
    because: str


class Lookalikes(Declared):
    """Two people who agree on these are counted where an id tells them apart, and so many are expected elsewhere.

    Name and birth date mean one person in a province and two in a nation; twins share all but the given
    name and live side by side. How often is measured on pairs whose ids are known, not assumed.
    """

    id: str
    agree: list[str]
    """Parts that find such pairs."""
    same: dict[str, list[str]]
    """Comparison → levels that both must be at to be alike in this way."""
    weighed: list[str] = []
    """Comparisons among them of which it still says something at which of these levels a pair is."""
    by_rarity: list[str] = []
    """Comparisons learnt apart by how rare it is what they share: who has a rare name often lives where it is less rare."""
    assumed: dict[str, dict[str, float]] = {}
    """Comparisons that are not learnt → levels of two such people, as under kin. Where few are known to be two, what
    tells them apart most would else be given up first."""
    told_apart_by: list[str]
    """Ids that tell which of those pairs are one person; the first is the strongest."""
    because: str


class Conflict(Declared):
    """What forbids two records to be one person, whatever else agrees. Only a judgement outweighs it."""

    rule: Literal["different_ids", "sex_and_birth_year", "parents_id"]
    column: str | None = None
    """different_ids, parents_id: which id."""
    slips: bool = False
    """different_ids: two ids one slip of the hand apart do not forbid where name, birth and sex agree, and can be
    outvoted where they do not; ids that differ in the last digit alone, as those of twins, cannot."""
    outvoted: bool = False
    """Two records that contradict each other may be one person's still, if its other records agree with both by far."""
    because: str


class Train(Declared):
    """How weights are learnt without labels."""

    anchors: list[list[str]]
    """Pairs that agree on one of these are nearly all one person: the other fields' m is learnt on them."""
    sample: int = 200_000
    """Pairs of an anchor that are looked at."""
    estimator: Literal["counted", "recordlinkage"] = "counted"
    """Whose ECM: ours, or the library's, which takes longer and knows no kin, but gives the same otherwise."""
    refine: bool = False
    """Learn m once more on all pairs inside the persons found: where errors repeat, what an anchor proves is
    cleaner than people are."""


class Matching(Declared):
    """A whole document."""

    linkage: str
    version: str
    key: str = "record_key"
    columns: dict[str, Column]
    skip_values: dict[str, list[str]] = {}
    """Column → values that say nothing about who somebody is: they neither make a pair nor forbid one."""
    passes: list[Pass]
    compare: list[str]
    rarity: list[str] = []
    """Comparisons in which agreeing on a rare value counts for more than on a common one."""
    kin: Kin | None = None
    lookalikes: list[Lookalikes] = []
    conflicts: list[Conflict] = []
    train: Train
    order: list[str] = []
    """Parts by which records are laid side by side in memory; changes speed, never the answer."""
    loose: float = 0.0
    """Weight from which a pair holds a loose component together; inside it all pairs are weighed."""
    join: float = 0.0
    """Weight in bits from which records are put together (0: as likely one person as two)."""
    unidentified: float = 0.0
    """Bits more that are asked where neither side shows an id that could part them (conflict `different_ids`): what is
    joined wrongly there no number will ever tell."""
    certain: float = 4.0
    """Weight from which a record is certain to be the person's; nothing weaker is joined in what is published."""
    possible: float = -2.0
    """Weight from which a pair that was not joined goes to people."""

    @model_validator(mode="after")
    def _names_what_it_has(self) -> Self:
        """Every part, comparison and column that is named exists."""
        named = [
            *(part for each in self.passes for part in (*each.on, *each.split)),
            *(part for anchor in self.train.anchors for part in anchor),
            *(part for each in self.lookalikes for part in each.agree),
            *self.order,
        ]
        for name in named:
            column, _, part = name.partition(".")
            if column not in self.columns:
                raise ValueError(f'"{name}" names no column; columns are {", ".join(self.columns)}')
            known = PARTS[self.columns[column].kind]
            if part not in known:
                shown = ", ".join(f"{column}.{each}" if each else column for each in known)
                raise ValueError(f'"{name}" is no part; {column} has {shown}')
        for name in (*self.compare, *self.rarity, *self.skip_values):
            if name not in self.columns:
                raise ValueError(f'"{name}" names no column; columns are {", ".join(self.columns)}')
        for name, declared in self.columns.items():
            if declared.within:
                place = self.columns.get(declared.within)
                if place is None or place.kind != "place":
                    raise ValueError(
                        f'{name} is within "{declared.within}", no column of kind place'
                    )
        for group in self.lookalikes:
            if missing := set(group.weighed) - set(group.same):
                raise ValueError(
                    f"{group.id} weighs {', '.join(sorted(missing))}, on which it does not agree"
                )
            if both := set(group.assumed) & {*group.same, *group.by_rarity}:
                raise ValueError(f"{group.id} learns {', '.join(sorted(both))}, which it assumes")
        for conflict in self.conflicts:
            if (
                conflict.rule in ("different_ids", "parents_id")
                and conflict.column not in self.columns
            ):
                raise ValueError(
                    f'conflict {conflict.rule} needs a column of kind id, not "{conflict.column}"'
                )
        if not self.possible <= self.join <= self.join + self.unidentified <= self.certain:
            raise ValueError("possible ≤ join ≤ join + unidentified ≤ certain is needed")
        return self
