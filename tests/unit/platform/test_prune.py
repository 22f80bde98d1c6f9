"""The pruned data of the AWS SDK still makes clients that send what the whole data does, and the
pruned declarations of pydantic still describe what is validated."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import botocore
import pytest
from boto3.session import Session
from botocore.config import Config
from pydantic_core import SchemaValidator, ValidationError, core_schema

import prune

WHOLE = Path(botocore.__file__).parent / "data"
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "bedrock": ("get_foundation_model", {"modelIdentifier": "amazon.nova-canvas-v1:0"}),
    "bedrock-runtime": ("invoke_model", {"modelId": "amazon.nova-canvas-v1:0", "body": b"{}"}),
    "dynamodb": ("get_item", {"TableName": "table", "Key": {"pk": {"S": "1"}}}),
    "s3": ("put_object", {"Bucket": "bucket", "Key": "key", "Body": b"x", "Metadata": {"a": "b"}}),
    "secretsmanager": ("get_secret_value", {"SecretId": "secret"}),
    "sesv2": ("send_email", {"Content": {"Simple": {"Subject": {"Data": "s"}, "Body": {}}}}),
    "sqs": ("send_message", {"QueueUrl": "https://sqs.invalid/1/queue", "MessageBody": "{}"}),
}


@pytest.fixture(scope="session")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layer's folder with the data of the installed SDK, pruned."""
    target = tmp_path_factory.mktemp("layer")
    data = target / "botocore" / "data"
    data.mkdir(parents=True)
    for path in WHOLE.glob("*.json"):
        shutil.copy(path, data)
    for service in (*prune.OPERATIONS, "sts"):
        shutil.copytree(WHOLE / service, data / service)
    shutil.copytree(Path(boto3.__file__).parent / "data" / "sqs", target / "boto3" / "data" / "sqs")
    (target / "pydantic_core").mkdir()
    shutil.copy(core_schema.__file__, target / "pydantic_core")
    prune.prune(target)
    return target


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of the installed SDK under another path: where it is tells apart what is built in,
    and the two would make different links."""
    link = tmp_path_factory.mktemp("whole") / "data"
    link.symlink_to(WHOLE)
    return link


def session(data: Path) -> Session:
    made = Session("id", "secret", region_name="eu-central-1")
    loader = made._session.get_component("data_loader")
    loader._search_paths = [str(data)]
    return made


def request_of(made: Session, service: str) -> tuple[str, str, bytes]:
    """Method, address and body of the service's request, which is not sent."""
    client = made.client(service, config=Config(retries={"total_max_attempts": 1}))
    sent: list[Any] = []

    def catch(request: Any, **_: object) -> None:
        sent.append(request)
        raise InterruptedError

    client.meta.events.register("before-send", catch)
    operation, parameters = REQUESTS[service]
    with pytest.raises(InterruptedError):
        getattr(client, operation)(**parameters)
    body = sent[0].body or b""
    return sent[0].method, sent[0].url, body if isinstance(body, bytes) else body.read()


@pytest.mark.parametrize("service", sorted(prune.OPERATIONS))
def test_a_client_sends_what_it_sends_with_the_whole_data(
    pruned: Path, whole: Path, service: str
) -> None:
    data = pruned / "botocore" / "data"
    assert request_of(session(data), service) == request_of(session(whole), service)


@pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1", "eu-central-1"])
@pytest.mark.parametrize("service", sorted(prune.OPERATIONS))
def test_every_partition_keeps_its_addresses(
    pruned: Path, whole: Path, service: str, region: str
) -> None:
    found = session(pruned / "botocore" / "data").client(service, region_name=region)
    assert (
        found.meta.endpoint_url
        == session(whole).client(service, region_name=region).meta.endpoint_url
    )


def test_a_client_has_the_operations_that_are_called_and_their_errors(pruned: Path) -> None:
    made = session(pruned / "botocore" / "data")
    for service, operations in prune.OPERATIONS.items():
        client = made.client(service)
        assert set(client.meta.service_model.operation_names) == operations
    errors = made.client("dynamodb").exceptions
    assert errors.TransactionCanceledException
    assert errors.ConditionalCheckFailedException


def test_links_and_forms_are_made_as_with_the_whole_data(pruned: Path, whole: Path) -> None:
    clients = [session(data).client("s3") for data in (pruned / "botocore" / "data", whole)]
    links = [
        each.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"}) for each in clients
    ]
    forms = [each.generate_presigned_post("b", "k") for each in clients]
    assert links[0].partition("?")[0] == links[1].partition("?")[0]
    assert forms[0]["url"] == forms[1]["url"]
    assert forms[0]["fields"].keys() == forms[1]["fields"].keys()


def test_what_is_not_read_is_gone(pruned: Path) -> None:
    data = pruned / "botocore" / "data"
    assert {path.name for path in data.iterdir() if path.is_dir()} == prune.OPERATIONS.keys()
    assert not (pruned / "boto3" / "data").exists()
    for description in data.rglob("service-2.json"):
        assert '"documentation":"<' not in description.read_text()


def test_an_operation_that_the_service_does_not_have_ends_the_build() -> None:
    with pytest.raises(KeyError):
        prune.only({"operations": {}, "shapes": {}}, ["GetItem"])


def test_a_member_called_documentation_stays() -> None:
    shape = {"documentation": "text", "members": {"documentation": {"shape": "Text"}}}
    assert prune.without_documentation([shape]) == [{**shape, "documentation": ""}]


def test_of_pydantic_nothing_goes_but_the_fields_of_typed_dicts(pruned: Path) -> None:
    text = Path(core_schema.__file__).read_text("utf-8")
    before = {ast.unparse(node).partition("\n")[0]: node for node in ast.parse(text).body}
    left = (pruned / "pydantic_core/core_schema.py").read_text("utf-8")
    after = {ast.unparse(node).partition("\n")[0]: node for node in ast.parse(left).body}
    assert before.keys() == after.keys()
    changed = {name for name in before if ast.unparse(before[name]) != ast.unparse(after[name])}
    assert len(changed) > 50
    assert all(name.startswith("class ") and "TypedDict" in name for name in changed)
    lines = {name: node.lineno for name, node in before.items()}
    assert lines == {name: node.lineno for name, node in after.items()}


def test_what_is_left_of_pydantics_declarations_describes_a_model(pruned: Path) -> None:
    path = pruned / "pydantic_core/core_schema.py"
    module: Any = ModuleType("pruned")
    exec(compile(path.read_text("utf-8"), path, "exec"), vars(module))  # noqa: S102
    name = module.model_field(module.str_schema(min_length=2))
    validator = SchemaValidator(module.model_fields_schema({"name": name}))
    assert validator.validate_python({"name": "ab"})[0] == {"name": "ab"}
    with pytest.raises(ValidationError, match="at least 2"):
        validator.validate_python({"name": "a"})
