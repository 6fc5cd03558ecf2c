"""The plan for one table: which columns are facts, which rules they decide, and what a row adds up to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from intake.rules import Facts, FactsError, FactSpec, Stage, Thresholds, default_thresholds, rules_for
from intake.rules.eligibility import UNANSWERED, outcome_of
from intake.rules.facts import FACTS_BY_NAME, facts_of
from intake.rules.predicates import Practice, Rule
from measures.rules import flags_in, instrument, severity
from vitals.rules import AverageRule, BpLimits, Pressure, average, band, default_limits

PHQ9_COLUMNS = tuple(f"dpq{number:02d}0" for number in range(1, 10))
PRESSURE_COLUMNS = ("sbp1", "dbp1", "sbp2", "dbp2", "sbp3", "dbp3")
PHQ9_RESULTS = ("phq9_items_answered", "phq9_total", "phq9_severity", "item9_positive")
PRESSURE_RESULTS = (
    "bp_readings",
    "bp_mean12_sys",
    "bp_mean12_dia",
    "sys_diff12",
    "bp_rule",
    "bp_sys",
    "bp_dia",
    "bp_mean12_band",
    "bp_band",
)

# Kept results per group of columns; beyond this the table is too varied for keeping to pay.
_KEEP_AT_MOST = 100_000
# How the survey writes the answers of a PHQ-9 item. It codes "refused" as 7 and "don't know" as 9; neither is an answer.
_ANSWERS = {"0": 0, "1": 1, "2": 2, "3": 3}
_NEEDS_QUOTES = frozenset(',"\r\n')


class TableError(ValueError):
    """The table as a whole cannot be read; the sentence says why."""


class RowError(ValueError):
    """One row cannot be read; the sentence names every column at fault."""


class _PartialFacts:
    """Looks like Facts, knows only what is set on it. Cheaper to make than sixty-odd fields."""


for _name in Facts.__dataclass_fields__:
    setattr(_PartialFacts, _name, None)


class _OneDecimal(dict[float, str]):
    """115 as "115.0", as the survey's results write it; more digits only where there are more."""

    def __missing__(self, value: float) -> str:
        shown = f"{value:.1f}" if value * 10 == int(value * 10) else f"{value:.6g}"
        if len(self) < _KEEP_AT_MOST:
            self[value] = shown
        return shown


class _Plain(dict[float, str]):
    """13 as "13"."""

    def __missing__(self, value: float) -> str:
        shown = f"{value:g}"
        if len(self) < _KEEP_AT_MOST:
            self[value] = shown
        return shown


@dataclass(slots=True)
class _Group:
    """Columns that some rule reads together, and the bits that each combination of their cells adds up to."""

    cells: Callable[[Sequence[str]], Any]
    bits_of: Callable[[Any], int]
    kept: dict[Any, int]


class Screener:
    """A plan for one table, made from its header: which columns are facts, which rules they can decide."""

    def __init__(
        self,
        header: Sequence[str],
        *,
        stage: Stage | str = Stage.INTAKE,
        states: Collection[str] | None = None,
        thresholds: Thresholds | None = None,
        limits: BpLimits | None = None,
    ) -> None:
        names = [name.strip().lower() for name in header]
        if not names or not any(names):
            raise TableError("The file has no header line.")
        # The first column is the row's own id, whatever it is called; the others need distinct names.
        doubled = sorted({name for name in names if name and names.count(name) > 1})
        if doubled:
            raise TableError(f"The header names a column twice: {', '.join(doubled)}.")
        self.width = len(names)
        self.stage = Stage(stage)
        self.thresholds = thresholds or default_thresholds()
        self.limits = limits or default_limits()
        self.practice = Practice(
            states=None if states is None else frozenset(code.strip().upper() for code in states)
        )
        self._column = {name: index for index, name in enumerate(names) if name}
        self._phq9 = instrument("phq9")
        self._phq9_items = tuple((item.code, item.values) for item in self._phq9.scored_items)
        self.has_phq9 = any(name in self._column for name in PHQ9_COLUMNS)
        self.has_pressure = any(name in self._column for name in PRESSURE_COLUMNS)
        self.is_survey = self.has_phq9 or self.has_pressure
        self.header = (
            header[0].strip(),
            "outcome",
            "reasons",
            "missing",
            *(PHQ9_RESULTS if self.has_phq9 else ()),
            *(PRESSURE_RESULTS if self.has_pressure else ()),
        )
        self._phq9_cells = self._cells_of(PHQ9_COLUMNS)
        self._pressure_cells = self._cells_of(PRESSURE_COLUMNS)
        self._phq9_kept: dict[tuple[str, ...], tuple[str, str, str]] = {}
        self._numbers_kept: dict[str, float | None] = {"": None}
        self._words_kept: dict[int, str] = {}
        self._one_decimal, self._plain = _OneDecimal(), _Plain()
        self._plan()

    # --- the plan --------------------------------------------------------------------------------------

    def _cells_of(self, columns: Sequence[str]) -> Callable[[Sequence[str]], tuple[str, ...]]:
        """Reads these columns from a row; a column the table lacks reads as empty."""
        if not any(name in self._column for name in columns):
            return lambda row: ()
        if all(name in self._column for name in columns):
            return itemgetter(*(self._column[name] for name in columns))
        places = [self._column.get(name) for name in columns]
        return lambda row: tuple("" if place is None else row[place] for place in places)

    def _plan(self) -> None:
        specs = {spec.name: spec for spec in facts_of(self.stage)}
        self._rules = rules_for(self.stage)
        self._rule_bit = {rule.id: 1 << number for number, rule in enumerate(self._rules)}
        required = sorted(name for name, spec in specs.items() if spec.required)
        first = len(self._rules)
        self._missing_bit = {name: 1 << first + number for number, name in enumerate(required)}
        # Facts worked out from survey columns are appended to the row, in this order, before groups read it.
        derived = (["phq9_total", "phq9_item9"] if self.has_phq9 else []) + (
            ["bp_systolic_mmhg", "bp_diastolic_mmhg"] if self.has_pressure else []
        )
        derived = [name for name in derived if name in specs]
        place = {name: index for name, index in self._column.items() if name in specs}
        self._doubled = tuple(
            (FACTS_BY_NAME[name], place[name], self.width + number)
            for number, name in enumerate(derived)
            if name in place
        )
        place.update({name: self.width + number for number, name in enumerate(derived)})
        self._derived_facts = bool(derived)
        nothing: Any = _PartialFacts()
        self._base = 0
        for rule in self._rules:
            if not set(rule.facts) & set(place) and rule.holds(nothing, self.thresholds, self.practice):
                self._base |= self._rule_bit[rule.id]
        for name, bit in self._missing_bit.items():
            if name not in place:
                self._base |= bit
        self._groups = [self._group(names, specs, place) for names in _read_together(self._rules, place)]

    def _group(self, names: Sequence[str], specs: dict[str, FactSpec], place: dict[str, int]) -> _Group:
        members: list[tuple[FactSpec, int, dict[str, Any]]] = [
            (specs[name], self._missing_bit.get(name, 0), {}) for name in names
        ]
        rules = [
            (rule.holds, self._rule_bit[rule.id]) for rule in self._rules if set(rule.facts) & set(names)
        ]
        single = len(names) == 1
        thresholds, practice = self.thresholds, self.practice

        def bits_of(key: Any) -> int:
            facts: Any = _PartialFacts()
            bits = 0
            for (spec, missing_bit, read), text in zip(members, (key,) if single else key, strict=True):
                try:
                    value = read[text]
                except KeyError:
                    value = self._parse(spec, text)
                    if len(read) < _KEEP_AT_MOST:
                        read[text] = value
                if value is None:
                    bits |= missing_bit
                else:
                    setattr(facts, spec.name, value)
            for holds, bit in rules:
                if holds(facts, thresholds, practice):
                    bits |= bit
            return bits

        return _Group(itemgetter(*(place[name] for name in names)), bits_of, {})

    def _parse(self, spec: FactSpec, text: str) -> Any:
        # Surveys code yes and no as 1 and 0; elsewhere a bare number is no answer to a yes-or-no question.
        if self.is_survey and spec.choices == ("yes", "no"):
            text = {"1": "yes", "0": "no"}.get(text.strip(), text)
        return spec.parse(text)

    # --- rows ------------------------------------------------------------------------------------------

    def line(self, row: Sequence[str]) -> str:
        """The results of one row as one line of CSV. Raises RowError when the row cannot be read."""
        if len(row) != self.width:
            raise RowError(f"it has {len(row)} cells where the header has {self.width}")
        try:
            return self._line(row)
        except (FactsError, RowError):
            raise RowError(" ".join(self._faults(row))) from None

    def _line(self, row: Sequence[str]) -> str:
        tail = ""
        cells: Sequence[str] = row
        if self.is_survey:
            extra: list[str] = []
            if self.has_phq9:
                total, item9, text = self._phq9_of(row)
                extra += (total, item9)
                tail = text
            if self.has_pressure:
                systolic, diastolic, text = self._pressure_of(row)
                extra += (systolic, diastolic)
                tail += text
            if self._derived_facts:
                cells = [*row, *extra]
                if self._doubled:
                    self._settle_doubled(cells)
        bits = self._base
        for group in self._groups:
            key = group.cells(cells)
            found = group.kept.get(key)
            if found is None:
                if len(group.kept) >= _KEEP_AT_MOST:
                    group.kept.clear()
                found = group.kept[key] = group.bits_of(key)
            bits |= found
        words = self._words_kept.get(bits)
        if words is None:
            if len(self._words_kept) >= _KEEP_AT_MOST:
                self._words_kept.clear()
            words = self._words_kept[bits] = self._words(bits)
        return f"{quoted(row[0])}{words}{tail}"

    def _words(self, bits: int) -> str:
        reasons = [id for id, bit in self._rule_bit.items() if bits & bit]
        missing = [name for name, bit in self._missing_bit.items() if bits & bit]
        if missing:
            reasons.append(UNANSWERED)
        return f",{outcome_of(reasons, self.thresholds)},{' '.join(reasons)},{' '.join(missing)}"

    def _settle_doubled(self, cells: list[str]) -> None:
        """A fact given both outright and through survey columns: either may be empty, but they must agree."""
        for spec, given, derived in self._doubled:
            stated = spec.parse(cells[given])
            if stated is None:
                continue
            if cells[derived] and spec.parse(cells[derived]) != stated:
                raise RowError(f"{spec.name} differs from what the survey columns add up to.")
            cells[derived] = cells[given]

    def _phq9_of(self, row: Sequence[str]) -> tuple[str, str, str]:
        key = self._phq9_cells(row)
        found = self._phq9_kept.get(key)
        if found is None:
            if len(self._phq9_kept) >= _KEEP_AT_MOST:
                self._phq9_kept.clear()
            found = self._phq9_kept[key] = self._score(key)
        return found

    def _score(self, cells: Sequence[str]) -> tuple[str, str, str]:
        """Total and ninth item as facts, and the result columns."""
        answers: dict[str, int] = {}
        for (code, values), cell in zip(self._phq9_items, cells, strict=True):
            if text := cell.strip():
                value = _ANSWERS.get(text)
                if value is None or value not in values:
                    raise RowError
                answers[code] = value
        complete = len(answers) == len(self._phq9_items)
        total = str(sum(answers.values())) if complete else ""
        level = severity(self._phq9, int(total)) if complete else ""
        item9 = answers.get(self._phq9_items[-1][0])
        positive = "" if item9 is None else str(len(flags_in(self._phq9, answers)))
        return total, "" if item9 is None else str(item9), f",{len(answers)},{total},{level},{positive}"

    def _number(self, cell: str) -> float | None:
        """A pressure cell. Same limits as the fact; empty is None."""
        value = FACTS_BY_NAME["bp_systolic_mmhg"].parse(cell)
        if len(self._numbers_kept) < _KEEP_AT_MOST:
            self._numbers_kept[cell] = value
        return value

    def _pressure_of(self, row: Sequence[str]) -> tuple[str, str, str]:
        """The averaged pressure as facts, and the result columns."""
        kept = self._numbers_kept
        try:
            s1, d1, s2, d2, s3, d3 = [kept[cell] for cell in self._pressure_cells(row)]
        except KeyError:
            s1, d1, s2, d2, s3, d3 = [self._number(cell) for cell in self._pressure_cells(row)]
        first: Pressure | None = None if s1 is None or d1 is None else (s1, d1)
        second: Pressure | None = None if s2 is None or d2 is None else (s2, d2)
        third: Pressure | None = None if s3 is None or d3 is None else (s3, d3)
        count = (first is not None) + (second is not None) + (third is not None)
        mean = average(first, second, third, self.limits)
        if first is None or second is None:
            return "", "", f",{count},,,,{mean.rule},,,,"
        s12, d12 = (first[0] + second[0]) / 2, (first[1] + second[1]) / 2
        band12 = band(s12, d12, self.limits)
        shown = self._one_decimal
        shown12 = f"{shown[s12]},{shown[d12]},{self._plain[abs(first[0] - second[0])]}"
        if mean.systolic_mmhg is None or mean.diastolic_mmhg is None:
            return "", "", f",{count},{shown12},{mean.rule},,,{band12},"
        systolic, diastolic = shown[mean.systolic_mmhg], shown[mean.diastolic_mmhg]
        final = (
            band12
            if mean.rule is AverageRule.MEAN_1_2
            else band(mean.systolic_mmhg, mean.diastolic_mmhg, self.limits)
        )
        return (
            systolic,
            diastolic,
            f",{count},{shown12},{mean.rule},{systolic},{diastolic},{band12},{final}",
        )

    def _faults(self, row: Sequence[str]) -> list[str]:
        """Everything that is wrong with a row that could not be read."""
        faults = []
        for name, index in self._column.items():
            spec = FACTS_BY_NAME.get(name)
            cell = row[index].strip()
            if name in PHQ9_COLUMNS and cell and cell not in _ANSWERS:
                faults.append(f"{name} must be 0, 1, 2, 3 or empty.")
            elif name in PRESSURE_COLUMNS:
                try:
                    self._number(cell)
                except FactsError:
                    faults.append(f"{name} must be a number from 0 to 400, or empty.")
            elif spec is not None and spec.stage.order <= self.stage.order:
                try:
                    self._parse(spec, cell)
                except FactsError as error:
                    faults.extend(one.sentence for one in error.errors)
        return faults or ["a fact differs from what the survey columns of the same row add up to."]


def _read_together(rules: Sequence[Rule], place: dict[str, int]) -> list[tuple[str, ...]]:
    """The facts of the table, in groups that some rule reads together."""
    group_of = {name: {name} for name in place}
    for rule in rules:
        names = [name for name in rule.facts if name in place]
        for name in names[1:]:
            merged = group_of[names[0]] | group_of[name]
            for member in merged:
                group_of[member] = merged
    groups: list[tuple[str, ...]] = []
    for name in place:
        members = tuple(sorted(group_of[name]))
        if members not in groups:
            groups.append(members)
    return groups


def quoted(cell: str) -> str:
    """A cell as CSV writes it."""
    return cell if _NEEDS_QUOTES.isdisjoint(cell) else '"' + cell.replace('"', '""') + '"'
