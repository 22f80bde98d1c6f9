"""Mutants: small faults made on purpose, of which a test should notice each one.

A condition of a DynamoDB write is a string, so its clauses are mutated in the string. A clause that
is dropped stays in it, with an alternative that always holds: every placeholder is still used, and
DynamoDB does not refuse the request for that reason. Statements that are dropped stay as dead code,
so that a function keeps the variables it closes over, and its code can be replaced in place.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from dev.settings import ROOT

PACKAGE = ROOT / "layers" / "common" / "imagelayer"
# Of mutants other than conditions a sample is run, always the same one.
SAMPLE = 20

_HOLDS = "attribute_exists(#pk) OR attribute_not_exists(#pk)"
_NEVER = "attribute_exists(#pk) AND attribute_not_exists(#pk)"
_CONDITION = re.compile(r"attribute_(?:not_)?exists\(|\S+ (?:=|<>|<|<=|>|>=) [:#]|\S+ IN \(")
_BOUNDARIES = {" < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > "}
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_SYMBOLS = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
# Where a condition is passed on: these arguments by place, and these keywords.
_ARGUMENTS = {"Guard": 0, "Write": 1}
_KEYWORDS = ("condition", "also")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Mutant:
    """One fault. `where` is the qualified name of the function, `lines` the statement's range."""

    module: str  # such as `credits/store`
    where: str
    change: str
    is_condition: bool
    lines: tuple[int, int]
    _tree: ast.Module
    _fault: Fault

    @property
    def name(self) -> str:
        """What names it in dev/mutants.toml; it does not depend on line numbers."""
        return f"{self.module} {self.where}: {self.change}"

    def tree(self) -> ast.Module:
        """The module with the fault."""
        memo: dict[int, Any] = {}
        copied = copy.deepcopy(self._tree, memo)
        wanted = memo[id(self._fault.node)]
        mutated = _Replacer(wanted, copy.deepcopy(self._fault.replacement)).visit(copied)
        return cast("ast.Module", ast.fix_missing_locations(mutated))


@dataclass(frozen=True)
class Fault:
    """A replacement of one node."""

    node: ast.AST
    change: str
    replacement: ast.AST
    is_condition: bool


class _Replacer(ast.NodeTransformer):
    def __init__(self, wanted: ast.AST, replacement: ast.AST) -> None:
        self.wanted = wanted
        self.replacement = replacement

    def visit(self, node: ast.AST) -> Any:
        if node is self.wanted:
            return ast.copy_location(self.replacement, node)
        return super().visit(node)


def mutants(module: str, *, sampled: bool) -> list[Mutant]:
    """Every mutant of a module's conditions and, if `sampled`, a sample of the others."""
    found = all_mutants(module, (PACKAGE / f"{module}.py").read_text())
    conditions = [each for each in found if each.is_condition]
    others = [each for each in found if not each.is_condition]
    others.sort(key=lambda each: hashlib.sha256(each.name.encode()).digest())
    return conditions + (others[:SAMPLE] if sampled else [])


def all_mutants(module: str, source: str) -> list[Mutant]:
    """Every mutant of a module with this source, in order."""
    tree = ast.parse(source)
    found: list[Mutant] = []
    names: set[str] = set()
    for where, function in _functions(tree):
        statements = _statements(function)
        for fault in [*_condition_faults(function), *_code_faults(function)]:
            change, number = fault.change, 2
            while f"{where}: {change}" in names:
                change, number = f"{fault.change} ({number})", number + 1
            names.add(f"{where}: {change}")
            lines = statements.get(id(fault.node), (function.lineno, function.lineno))
            found.append(Mutant(module, where, change, fault.is_condition, lines, tree, fault))
    return found


def _functions(tree: ast.Module) -> Iterator[tuple[str, _Function]]:
    """Functions and methods that the module or one of its classes has, by qualified name."""
    for node in tree.body:
        if isinstance(node, _Function):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, _Function):
                    yield f"{node.name}.{member.name}", member


def _statements(function: _Function) -> dict[int, tuple[int, int]]:
    """The lines of the innermost statement around each node, of a compound one its head alone."""
    found: dict[int, tuple[int, int]] = {}

    def walk(node: ast.AST, lines: tuple[int, int]) -> None:
        found[id(node)] = lines
        for child in ast.iter_child_nodes(node):
            walk(child, _head(child) if isinstance(child, ast.stmt) else lines)

    for statement in function.body:
        walk(statement, _head(statement))
    return found


def _head(statement: ast.stmt) -> tuple[int, int]:
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno
    return (statement.lineno, max(statement.lineno, last or 0))


# ─── Conditions ────────────────────────────────────────────────────────────────────────────────


def _condition_faults(function: _Function) -> Iterator[Fault]:
    for node in _conditions(function):
        text, holes = _text_of(node)
        for change, mutated in _string_faults(text, holes):
            yield Fault(node, change, _string_node(mutated, holes), is_condition=True)


def _conditions(function: _Function) -> list[ast.Constant | ast.JoinedStr]:
    """The strings that end up in a condition, in order."""
    roots = list(_roots(function))
    assigned: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            assigned.setdefault(node.targets[0].id, []).append(node.value)
    strings: list[ast.Constant | ast.JoinedStr] = []
    followed: set[str] = set()
    while roots:
        for node in _parts(roots.pop()):
            if isinstance(node, ast.Name) and node.id not in followed:
                followed.add(node.id)
                roots += assigned.get(node.id, [])
            elif isinstance(node, ast.JoinedStr) or (
                isinstance(node, ast.Constant) and isinstance(node.value, str)
            ):
                strings.append(node)
    unique = {id(each): each for each in strings if _CONDITION.search(_text_of(each)[0])}
    return sorted(unique.values(), key=lambda each: (each.lineno, each.col_offset))


def _roots(function: _Function) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        for keyword in node.keywords:
            if keyword.arg in _KEYWORDS:
                yield keyword.value
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in _ARGUMENTS:
            yield node.args[_ARGUMENTS[name]]


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    """A value's strings and the names it is made of, but not what only decides between them."""
    if isinstance(node, ast.JoinedStr):
        yield node
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                yield from _parts(value.value)
        return
    if isinstance(node, ast.IfExp):
        yield from _parts(node.body)
        yield from _parts(node.orelse)
        return
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.comprehension):
            continue
        if isinstance(child, ast.expr):
            yield from _parts(child)


def _text_of(node: ast.Constant | ast.JoinedStr) -> tuple[str, list[ast.FormattedValue]]:
    """A string's text, with `{0}` for what is filled in, and what that is."""
    if isinstance(node, ast.Constant):
        return str(node.value), []
    text = ""
    holes: list[ast.FormattedValue] = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            text += f"{{{len(holes)}}}"
            holes.append(part)
        elif isinstance(part, ast.Constant):
            text += str(part.value)
    return text, holes


def _string_node(text: str, holes: list[ast.FormattedValue]) -> ast.expr:
    values: list[ast.expr] = []
    for index, piece in enumerate(re.split(r"\{(\d+)\}", text)):
        if index % 2:
            values.append(holes[int(piece)])
        elif piece:
            values.append(ast.Constant(piece))
    return ast.JoinedStr(values)


def _string_faults(text: str, holes: list[ast.FormattedValue]) -> Iterator[tuple[str, str]]:
    """What is changed, and the condition with the change."""

    def shown(part: str) -> str:
        return re.sub(
            r"\{(\d+)\}", lambda hole: f"{{{ast.unparse(holes[int(hole[1])].value)}}}", part
        )

    clauses = list(_operands(text, 0, len(text)))
    # A whole condition, or one that a variable holds and that has faults of its own.
    if not any(kind == "AND" for kind, *_ in clauses):
        yield f"condition `{shown(text)}` dropped", f"({text} OR {_HOLDS})"
    for kind, start, end in clauses:
        part = text[start:end]
        if re.fullmatch(r"\{\d+\}", part):
            continue
        if kind == "AND":
            yield f"`{shown(part)}` dropped", f"{text[:start]}({part} OR {_HOLDS}){text[end:]}"
        else:
            change = f"alternative `{shown(part)}` dropped"
            yield change, f"{text[:start]}({part} AND {_NEVER}){text[end:]}"
    for found in re.finditer(r" (?:<=|>=|<|>) ", text):
        left = re.split(r"[ (]", text[: found.start()])[-1]
        right = re.split(r"[ )]", text[found.end() :])[0]
        other = _BOUNDARIES[found[0]]
        change = f"`{shown(left)}{found[0]}{shown(right)}` with `{other.strip()}`"
        yield change, text[: found.start()] + other + text[found.end() :]


def _operands(text: str, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    """The operands of AND and OR in a part of a condition, at every depth: kind and place."""
    for kind in ("OR", "AND"):
        places = _split(text, start, end, f" {kind} ")
        if len(places) > 1:
            for first, last in places:
                yield kind, first, last
                yield from _operands(text, first, last)
            return
    if text[start] == "(" and text[end - 1] == ")":
        yield from _operands(text, start + 1, end - 1)


def _split(text: str, start: int, end: int, separator: str) -> list[tuple[int, int]]:
    places, depth, first = [], 0, start
    for index in range(start, end):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0 and text.startswith(separator, index):
            places.append((first, index))
            first = index + len(separator)
    return [*places, (first, end)]


# ─── Other code ────────────────────────────────────────────────────────────────────────────────


def _code_faults(function: _Function) -> Iterator[Fault]:
    for node in _own_nodes(function):
        if isinstance(node, ast.Compare):
            yield from _comparison_faults(node)
        elif isinstance(node, ast.BoolOp):
            yield from _operand_faults(node)
        elif isinstance(node, ast.If | ast.IfExp) and not isinstance(node.test, ast.Compare):
            negated = ast.UnaryOp(ast.Not(), node.test)
            yield _fault(node.test, "negated", negated)
        elif isinstance(node, ast.Raise):
            yield _fault(node, "dropped", _dead(node))
        if isinstance(node, ast.If):
            last = node.body[-1]
            if isinstance(last, ast.Return) and last.value is not None:
                yield _fault(last, "dropped", _dead(last))


def _own_nodes(function: _Function) -> Iterator[ast.AST]:
    """Nodes of the function's body, without annotations."""
    for statement in function.body:
        yield from ast.walk(statement)


def _fault(node: ast.AST, what: str, replacement: ast.AST) -> Fault:
    text = " ".join(ast.unparse(node).split())
    return Fault(node, f"`{text}` {what}", replacement, is_condition=False)


def _dead(statement: ast.stmt) -> ast.stmt:
    return ast.If(ast.Constant(value=False), [statement], [])


def _comparison_faults(node: ast.Compare) -> Iterator[Fault]:
    for index, operator in enumerate(node.ops):
        for other in _COMPARISONS[type(operator)]:
            changed = ast.Compare(node.left, [*node.ops], node.comparators)
            changed.ops[index] = other()
            yield _fault(node, f"with `{_SYMBOLS[other]}`", changed)


def _operand_faults(node: ast.BoolOp) -> Iterator[Fault]:
    for index, operand in enumerate(node.values):
        rest = [each for place, each in enumerate(node.values) if place != index]
        text = " ".join(ast.unparse(operand).split())
        left = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        yield _fault(node, f"without `{text}`", left)
