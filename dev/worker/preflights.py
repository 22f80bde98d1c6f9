"""OPTIONS as an HTTP API without a CORS configuration treats it: like any other method.

API Gateway answers preflights itself only if CORS is configured. Otherwise a route takes them, and
`$default` does so where none names OPTIONS. ministack answers 403 to every OPTIONS request.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
"""

from __future__ import annotations

from typing import Any

# A method that ministack does not take for a preflight, and no route can name.
_ROUTED = "options"


def route_preflights() -> None:
    """Make this process route OPTIONS requests of APIs without a CORS configuration."""
    from ministack.services import apigateway  # type: ignore[import-not-found, unused-ignore]

    execute, invoke = apigateway._handle_execute_in_scope, apigateway._invoke_lambda_proxy

    async def execute_routed(api_id: str, stage: str, path: str, method: str, *rest: Any) -> Any:
        api = apigateway._apis.get(api_id) or {}
        if method == "OPTIONS" and not api.get("corsConfiguration"):
            method = _ROUTED
        return await execute(api_id, stage, path, method, *rest)

    async def invoke_routed(
        integration: Any, api_id: str, stage: str, path: str, method: str, *rest: Any, **named: Any
    ) -> Any:
        # The function sees the method that was sent.
        return await invoke(integration, api_id, stage, path, method.upper(), *rest, **named)

    apigateway._handle_execute_in_scope = execute_routed
    apigateway._invoke_lambda_proxy = invoke_routed
