"""Python values in and out of DynamoDB, and calls that get no clean answer."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.platform.attribute_values import decode, decode_item, encode, encode_item
from imagelayer.platform.aws_calls import ATTEMPTS, CONFLICT_ATTEMPTS
from imagelayer.platform.table import (
    ConditionFailed,
    StoreUnavailable,
    Table,
    TransactionContended,
    TransactionRefused,
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
    monkeypatch.setattr("imagelayer.platform.aws_calls.CONFLICT_PAUSE_SECONDS", 0)
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
    monkeypatch.setattr("imagelayer.platform.aws_calls.CONFLICT_PAUSE_SECONDS", 0)
    client = Canceling(*codes)
    with pytest.raises(told):
        transact(client, [])
    assert len(client.tokens) == attempts
    assert len(set(client.tokens)) == 1  # DynamoDB must take them for one


UNCLEAN: list[Exception] = [
    ClientError({"Error": {"Code": code, "Message": ""}}, "AnyOperation")
    for code in (
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionInProgressException",
    )
] + [
    ReadTimeoutError(endpoint_url="https://unreachable.invalid"),
    ConnectTimeoutError(endpoint_url="https://unreachable.invalid"),
    EndpointConnectionError(endpoint_url="https://unreachable.invalid"),
    ConnectionClosedError(endpoint_url="https://unreachable.invalid"),
]


class Failing:
    """A client whose first calls fail, each operation alike."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.requests = list(failures), list[dict[str, Any]]()

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> dict[str, Any]:
            self.requests.append(request)
            if self.failures:
                raise self.failures.pop(0)
            return {"Item": {"n": {"N": "1"}}, "Attributes": {"n": {"N": "1"}}, "Items": []}

        return call


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that would have been made."""
    pauses: list[float] = []
    monkeypatch.setattr("imagelayer.platform.aws_calls.time.sleep", pauses.append)
    return pauses


@pytest.mark.parametrize("failure", UNCLEAN, ids=repr)
def test_a_call_without_a_clean_answer_is_made_once_more_and_the_very_same(
    failure: Exception, no_pauses: list[float]
) -> None:
    calls: list[Callable[[Table, Failing], Any]] = [
        lambda table, _: table.get("a", "b"),
        lambda table, _: table.query("a"),
        lambda table, _: table.put({"pk": "a", "sk": "b"}),
        lambda table, _: table.update("a", "b", "SET #n = :n", n=1),
        lambda table, _: table.delete("a", "b"),
        lambda table, client: transact(client, [table.put_action({"pk": "a", "sk": "b"})]),
    ]
    for call in calls:
        client = Failing(failure)
        call(Table(client, "t"), client)
        assert len(client.requests) == 2
        assert client.requests[0] == client.requests[1]  # of a transaction also the client token
        client = Failing(failure, failure)
        with pytest.raises(StoreUnavailable) as unavailable:
            call(Table(client, "t"), client)
        assert len(client.requests) == 2
        assert "unreachable" not in unavailable.value.reason
    assert len(no_pauses) == 2 * len(calls)
    assert max(no_pauses) <= 0.05


def test_every_transaction_has_a_token_of_its_own(no_pauses: list[float]) -> None:
    client = Failing()
    for _ in range(2):
        transact(client, [])
    assert len({request["ClientRequestToken"] for request in client.requests}) == 2


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException"])
def test_a_clean_refusal_is_not_asked_for_again(code: str, no_pauses: list[float]) -> None:
    client = Failing(ClientError({"Error": {"Code": code, "Message": ""}}, "GetItem"))
    with pytest.raises(StoreUnavailable, match=code):
        Table(client, "t").get("a", "b")
    assert (len(client.requests), no_pauses) == (1, [])


def test_a_condition_that_failed_is_not_tried_again_and_returns_the_stored_item(
    no_pauses: list[float],
) -> None:
    refusal: Any = {
        "Error": {"Code": "ConditionalCheckFailedException", "Message": ""},
        "Item": {"n": {"N": "7"}},
    }
    client = Failing(ClientError(refusal, "UpdateItem"))
    with pytest.raises(ConditionFailed) as failed:
        Table(client, "t").update("a", "b", "SET #n = :n", condition="#n = :old", n=1, old=2)
    assert failed.value.item == {"n": 7}
    assert (len(client.requests), no_pauses) == (1, [])


def canceled(*codes: str, stood: int | None = None) -> ClientError:
    """A transaction that was canceled; `stood` is what every refusing action found."""
    reasons: list[Any] = [
        {"Code": code, **({"Item": {"n": {"N": str(stood)}}} if stood is not None else {})}
        for code in codes
    ]
    return ClientError(
        {
            "Error": {"Code": "TransactionCanceledException", "Message": ""},
            "CancellationReasons": reasons,
        },
        "TransactWriteItems",
    )


def test_who_keeps_meeting_other_transactions_learns_whom_it_met_last(
    no_pauses: list[float],
) -> None:
    met_first = [canceled("TransactionConflict", "None")] * (CONFLICT_ATTEMPTS - 1)
    client = Failing(*met_first, canceled("None", "TransactionConflict"))
    with pytest.raises(TransactionContended) as contended:
        transact(client, [])
    assert contended.value.met == [False, True]
    assert len(client.requests) == CONFLICT_ATTEMPTS
    assert len(no_pauses) == CONFLICT_ATTEMPTS - 1


def test_a_condition_decides_whatever_else_was_met(no_pauses: list[float]) -> None:
    client = Failing(
        canceled("TransactionConflict", "None"),
        canceled("TransactionConflict", "ConditionalCheckFailed", stood=7),
    )
    with pytest.raises(TransactionRefused) as refused:
        transact(client, [])
    assert (refused.value.refused, refused.value.items[1]) == ([False, True], {"n": 7})
    assert len(client.requests) == 2


class Batches:
    """A client that answers so many keys of a batch and leaves the others unprocessed."""

    def __init__(self, *, answered: int) -> None:
        self.answered, self.asked = answered, list[list[str]]()

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        ((name, request),) = RequestItems.items()
        assert request["ConsistentRead"] is True
        keys = request["Keys"]
        self.asked.append([key["pk"]["S"] for key in keys])
        done, left = keys[: self.answered], keys[self.answered :]
        there = [key for key in done if key["sk"]["S"] != "missing"]
        return {
            "Responses": {name: there},
            "UnprocessedKeys": {name: {**request, "Keys": left}} if left else {},
        }


def test_many_items_are_read_a_hundred_at_a_time_and_missing_ones_left_out() -> None:
    keys = [(f"p{number}", "missing" if number % 50 == 0 else "s") for number in range(250)]
    client = Batches(answered=100)
    found = Table(client, "t").get_many(keys)
    assert [len(asked) for asked in client.asked] == [100, 100, 50]
    assert [(item["pk"], item["sk"]) for item in found] == [k for k in keys if k[1] != "missing"]
    client.asked.clear()
    assert Table(client, "t").get_many([]) == []
    assert client.asked == []


def test_what_was_left_unprocessed_is_asked_for_again_and_nothing_else(
    no_pauses: list[float],
) -> None:
    client = Batches(answered=40)
    found = Table(client, "t").get_many([(f"p{number}", "s") for number in range(100)])
    assert [len(asked) for asked in client.asked] == [100, 60, 20]
    assert len({item["pk"] for item in found}) == len(found) == 100
    assert len(no_pauses) == 2


def test_what_is_never_processed_is_a_store_that_cannot_answer(no_pauses: list[float]) -> None:
    client = Batches(answered=0)
    with pytest.raises(StoreUnavailable, match="UnprocessedKeys"):
        Table(client, "t").get_many([("p", "s")])
    assert len(client.asked) == CONFLICT_ATTEMPTS
