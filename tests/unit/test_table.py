"""Python values in and out of DynamoDB attribute values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.stores.table import (
    ATTEMPTS,
    CONFLICT_ATTEMPTS,
    StoreUnavailable,
    Table,
    TransactionContended,
    TransactionRefused,
    decode,
    decode_item,
    encode,
    encode_item,
    transact,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.text()
    | st.binary()
    | st.integers(-(10**37), 10**37)
    | st.floats(-1e100, 1e100, allow_subnormal=False).filter(lambda number: number % 1 != 0),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1), inner),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_stored_is_read_back_with_its_type(value: Any) -> None:
    back = decode(encode(value))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (True, {"BOOL": True}),  # and not the number 1
        (1, {"N": "1"}),
        (0.5, {"N": "0.5"}),
        (Decimal("1.10"), {"N": "1.10"}),
        ("1", {"S": "1"}),
        (None, {"NULL": True}),
        ((1, "a"), {"L": [{"N": "1"}, {"S": "a"}]}),
        ({"a": [False]}, {"M": {"a": {"L": [{"BOOL": False}]}}}),
    ],
)
def test_each_kind_has_its_attribute_type(value: Any, encoded: dict[str, Any]) -> None:
    assert encode(value) == encoded


def test_negative_numbers_stay_negative() -> None:
    assert (decode({"N": "-5"}), decode({"N": "-0.5"}), decode({"N": "1e3"})) == (-5, -0.5, 1000)


@pytest.mark.parametrize("value", [{1, 2}, object(), 1j])
def test_a_value_that_has_no_form_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot store"):
        encode(value)


def test_an_attribute_of_a_kind_we_never_write_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot read SS"):
        decode({"SS": ["a"]})


def test_absent_is_left_out_of_an_item() -> None:
    assert encode_item({"a": 1, "b": None}) == {"a": {"N": "1"}}
    assert decode_item({"a": {"N": "1"}}) == {"a": 1}


class Contended:
    """A client whose item is held by transactions for a few calls."""

    def __init__(self, conflicts: int) -> None:
        self.conflicts, self.calls = conflicts, 0

    def update_item(self, **_: object) -> dict[str, Any]:
        self.calls += 1
        if self.calls <= self.conflicts:
            raise ClientError(
                {"Error": {"Code": "TransactionConflictException", "Message": ""}}, "UpdateItem"
            )
        return {"Attributes": {"n": {"N": "1"}}}


def test_a_write_that_meets_a_transaction_is_tried_again() -> None:
    client = Contended(conflicts=3)
    assert Table(client, "t").update("a", "b", "SET #n = :n", n=1) == {"n": 1}
    assert client.calls == 4


def test_a_write_that_meets_transactions_for_ever_is_a_store_that_cannot_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("imagelayer.stores.table.CONFLICT_PAUSE_SECONDS", 0)
    client = Contended(conflicts=1000)
    with pytest.raises(StoreUnavailable):
        Table(client, "t").update("a", "b", "SET #n = :n", n=1)
    assert client.calls < 20


class Canceling:
    """A client whose transactions are canceled, each time for these reasons."""

    def __init__(self, *codes: str) -> None:
        self.codes, self.tokens = codes, list[str]()

    def transact_write_items(self, *, ClientRequestToken: str, **_: object) -> None:  # noqa: N803
        self.tokens.append(ClientRequestToken)
        raise ClientError(
            {
                "Error": {"Code": "TransactionCanceledException", "Message": ""},
                "CancellationReasons": [{"Code": code} for code in self.codes],
            },
            "TransactWriteItems",
        )


@pytest.mark.parametrize(
    ("codes", "attempts", "told"),
    [
        (("None", "ThrottlingError"), ATTEMPTS, StoreUnavailable),
        (("ProvisionedThroughputExceeded",), ATTEMPTS, StoreUnavailable),
        (("ThrottlingError", "ConditionalCheckFailed"), 1, TransactionRefused),
        (("ThrottlingError", "TransactionConflict"), CONFLICT_ATTEMPTS, TransactionContended),
        (("None", "ValidationError"), 1, StoreUnavailable),
    ],
)
def test_a_canceled_transaction_is_tried_again_as_often_as_its_reasons_are_worth(
    monkeypatch: pytest.MonkeyPatch, codes: tuple[str, ...], attempts: int, told: type[Exception]
) -> None:
    monkeypatch.setattr("imagelayer.stores.table.CONFLICT_PAUSE_SECONDS", 0)
    client = Canceling(*codes)
    with pytest.raises(told):
        transact(client, [])
    assert len(client.tokens) == attempts
    assert len(set(client.tokens)) == 1  # DynamoDB must take them for one
