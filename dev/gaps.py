"""What CloudFormation applies on AWS and ministack leaves out, applied after the deployment."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dev import aws, template

_METHODS = {"get", "put", "post", "delete", "patch", "head", "options"}
_ANY = "x-amazon-apigateway-any-method"
_UNKNOWN_KEYS = {"ses:FromAddress"}
_LOGICAL_ID = re.compile(r"\$\{(\w+)(?:\.Arn)?\}/invocations")


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed stack: its processed template and the physical ids of its resources."""

    endpoint: str
    resources: dict[str, template.Document]
    physical: dict[str, str]

    @classmethod
    def read(cls, endpoint: str, name: str, parameters: dict[str, str]) -> Stack:
        """Read the processed template with parameters and conditions resolved."""
        cloudformation = aws.client("cloudformation", endpoint)
        body = cloudformation.get_template(StackName=name, TemplateStage="Processed")[
            "TemplateBody"
        ]
        document = template.loads(body if isinstance(body, str) else json.dumps(body))
        resolver = template.Resolver(document, parameters)
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        physical = {
            item["LogicalResourceId"]: item["PhysicalResourceId"]
            for page in pages
            for item in page["StackResourceSummaries"]
        }
        resources = {
            logical: {**resource, "Properties": resolver.resolve(resource.get("Properties", {}))}
            for logical, resource in document["Resources"].items()
            if logical in physical
        }
        return cls(endpoint=endpoint, resources=resources, physical=physical)

    def of_type(self, kind: str) -> dict[str, template.Document]:
        """Properties by logical id of every resource of one type."""
        found = self.resources.items()
        return {name: body["Properties"] for name, body in found if body["Type"] == kind}

    def physical_by_type(self, kind: str) -> dict[str, str]:
        """Physical ids by logical id of every resource of one type."""
        return {name: self.physical[name] for name in self.of_type(kind)}

    def client(self, service: str) -> Any:
        """A root client."""
        return aws.client(service, self.endpoint)


def close_all(stack: Stack, *, mail_from: str) -> str:
    """Apply everything that is missing; return the HTTP API's id."""
    api_id = create_routes(stack)
    apply_table_settings(stack)
    apply_lifecycles(stack)
    apply_concurrency(stack)
    adjust_roles(stack)
    verify_sender(stack, mail_from)
    return api_id


def create_routes(stack: Stack) -> str:
    """Create integrations and routes from the OpenAPI body that ministack ignores."""
    apis = stack.of_type("AWS::ApiGatewayV2::Api")
    if len(apis) != 1:
        raise LookupError(f"expected one HTTP API, found {sorted(apis)}")
    logical, properties = next(iter(apis.items()))
    api_id = stack.physical[logical]
    gateway = stack.client("apigatewayv2")
    existing = {route["RouteKey"] for route in gateway.get_routes(ApiId=api_id)["Items"]}
    integrations: dict[str, str] = {}
    for route_key, function in _routes(stack, properties.get("Body", {})):
        if route_key in existing:
            continue
        if function not in integrations:
            made = gateway.create_integration(
                ApiId=api_id,
                IntegrationType="AWS_PROXY",
                IntegrationUri=function,
                PayloadFormatVersion="2.0",
            )
            integrations[function] = made["IntegrationId"]
        target = f"integrations/{integrations[function]}"
        gateway.create_route(ApiId=api_id, RouteKey=route_key, Target=target)
    cors = properties.get("CorsConfiguration") or properties.get("Body", {}).get(
        "x-amazon-apigateway-cors"
    )
    if cors:
        gateway.update_api(ApiId=api_id, CorsConfiguration=_cors(cors))
    return api_id


def _routes(stack: Stack, body: template.Document) -> list[tuple[str, str]]:
    found = []
    for path, operations in body.get("paths", {}).items():
        for method, operation in operations.items():
            if method not in _METHODS | {_ANY}:
                continue
            verb = "ANY" if method == _ANY else method.upper()
            key = "$default" if path.lstrip("/") == "$default" else f"{verb} {path}"
            uri = operation["x-amazon-apigateway-integration"]["uri"]
            found.append((key, _function_arn(stack, uri)))
    return found


def _function_arn(stack: Stack, uri: Any) -> str:
    match = _LOGICAL_ID.search(json.dumps(uri))
    if not match:
        raise LookupError(f"an integration points at no function of the stack: {uri}")
    logical = match[1]
    physical = stack.physical[logical]
    if stack.resources[logical]["Type"] != "AWS::Lambda::Function":
        return physical  # an alias: its physical id is its ARN
    configuration = stack.client("lambda").get_function_configuration(FunctionName=physical)
    return str(configuration["FunctionArn"])


def _cors(cors: template.Document) -> template.Document:
    names = {
        "allowOrigins": "AllowOrigins",
        "allowMethods": "AllowMethods",
        "allowHeaders": "AllowHeaders",
        "exposeHeaders": "ExposeHeaders",
        "maxAge": "MaxAge",
        "allowCredentials": "AllowCredentials",
    }
    return {names.get(key, key): value for key, value in cors.items()}


def apply_table_settings(stack: Stack) -> None:
    """Switch on each table's time to live and point-in-time recovery."""
    dynamodb = stack.client("dynamodb")
    for logical, properties in stack.of_type("AWS::DynamoDB::Table").items():
        table = stack.physical[logical]
        ttl = properties.get("TimeToLiveSpecification")
        if ttl:
            wanted = {
                "Enabled": ttl.get("Enabled") in {True, "true"},
                **_only(ttl, "AttributeName"),
            }
            dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)
        recovery = properties.get("PointInTimeRecoverySpecification") or {}
        if recovery.get("PointInTimeRecoveryEnabled") in {True, "true"}:
            dynamodb.update_continuous_backups(
                TableName=table,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            )


def apply_lifecycles(stack: Stack) -> None:
    """Set each bucket's lifecycle rules and encryption."""
    s3 = stack.client("s3")
    for logical, properties in stack.of_type("AWS::S3::Bucket").items():
        rules = (properties.get("LifecycleConfiguration") or {}).get("Rules", [])
        if rules:
            s3.put_bucket_lifecycle_configuration(
                Bucket=stack.physical[logical],
                LifecycleConfiguration={"Rules": [_lifecycle_rule(rule) for rule in rules]},
            )


def _lifecycle_rule(rule: template.Document) -> template.Document:
    made: template.Document = {
        "Status": rule["Status"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
    }
    made |= _only(rule, "AbortIncompleteMultipartUpload")
    if "Id" in rule:
        made["ID"] = rule["Id"]
    if "ExpirationInDays" in rule:
        made["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    if "ExpiredObjectDeleteMarker" in rule:
        made["Expiration"] = {"ExpiredObjectDeleteMarker": True}
    noncurrent = rule.get("NoncurrentVersionExpiration") or {}
    days = noncurrent.get("NoncurrentDays", rule.get("NoncurrentVersionExpirationInDays"))
    if days is not None:
        made["NoncurrentVersionExpiration"] = {"NoncurrentDays": int(days)}
    return made


def apply_concurrency(stack: Stack) -> None:
    """Make numbers of the mappings' concurrency, which `!Ref` of a parameter leaves a text."""
    functions = stack.client("lambda")
    for logical, properties in stack.of_type("AWS::Lambda::EventSourceMapping").items():
        most = (properties.get("ScalingConfig") or {}).get("MaximumConcurrency")
        if most is not None:
            functions.update_event_source_mapping(
                UUID=stack.physical[logical], ScalingConfig={"MaximumConcurrency": int(most)}
            )


def _only(body: template.Document, *names: str) -> template.Document:
    return {name: body[name] for name in names if name in body}


def adjust_roles(stack: Stack) -> None:
    """Say what the roles' policies mean in the terms that ministack understands.

    `!Ref` of a secret is its ARN on AWS and its name here. Sending mail is authorized here on no
    identity in particular, and without the condition key that names the sender.
    """
    secrets = stack.client("secretsmanager")
    arns = {
        name: secrets.describe_secret(SecretId=name)["ARN"]
        for name in stack.physical_by_type("AWS::SecretsManager::Secret").values()
    }
    iam = stack.client("iam")
    for role in stack.physical_by_type("AWS::IAM::Role").values():
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            statements = [_adjusted(statement, arns) for statement in _list(document["Statement"])]
            text = json.dumps({**document, "Statement": statements})
            iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=text)


def _adjusted(statement: template.Document, arns: dict[str, str]) -> template.Document:
    named = [arns.get(resource, resource) for resource in _list(statement["Resource"])]
    if set(_list(statement["Action"])) <= {"ses:SendEmail", "ses:SendRawEmail"}:
        named = ["*"]
    conditions = {
        operator: kept
        for operator, keys in statement.get("Condition", {}).items()
        if (kept := {key: value for key, value in keys.items() if key not in _UNKNOWN_KEYS})
    }
    rest = {key: value for key, value in statement.items() if key != "Condition"}
    return {**rest, "Resource": named} | ({"Condition": conditions} if conditions else {})


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def verify_sender(stack: Stack, address: str) -> None:
    """Let mail leave from the configured address."""
    ses = stack.client("sesv2")
    with contextlib.suppress(ses.exceptions.AlreadyExistsException):
        ses.create_email_identity(EmailIdentity=address)


def failures(endpoint: str, stack: str) -> str:
    """Why a deployment failed, in CloudFormation's words."""
    try:
        events = aws.client("cloudformation", endpoint).describe_stack_events(StackName=stack)
    except (BotoCoreError, ClientError):
        return ""
    return "\n".join(
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
        for event in reversed(events["StackEvents"])
        if event["ResourceStatus"].endswith("FAILED")
    )


def response_headers(stack: Stack) -> dict[str, str]:
    """The headers that the template's edge adds to every answer."""
    headers: dict[str, str] = {}
    for properties in stack.of_type("AWS::CloudFront::ResponseHeadersPolicy").values():
        config = properties["ResponseHeadersPolicyConfig"]
        for item in (config.get("CustomHeadersConfig") or {}).get("Items", []):
            headers[item["Header"].lower()] = str(item["Value"])
        headers |= _security_headers(config.get("SecurityHeadersConfig") or {})
    return headers


def _security_headers(config: template.Document) -> dict[str, str]:
    headers: dict[str, str] = {}
    if policy := config.get("ContentSecurityPolicy"):
        headers["content-security-policy"] = policy["ContentSecurityPolicy"]
    if "ContentTypeOptions" in config:
        headers["x-content-type-options"] = "nosniff"
    if options := config.get("FrameOptions"):
        headers["x-frame-options"] = options["FrameOption"]
    if policy := config.get("ReferrerPolicy"):
        headers["referrer-policy"] = policy["ReferrerPolicy"]
    if transport := config.get("StrictTransportSecurity"):
        parts = [f"max-age={transport['AccessControlMaxAgeSec']}"]
        parts += (
            ["includeSubDomains"] if transport.get("IncludeSubdomains") in {True, "true"} else []
        )
        parts += ["preload"] if transport.get("Preload") in {True, "true"} else []
        headers["strict-transport-security"] = "; ".join(parts)
    return headers
