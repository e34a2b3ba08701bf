{{/* Public paths of the fanouts and of the API. /metrics and /livez are not public. */}}
{{- define "headrace.paths" -}}
subscribe: [/v1/events/subscribe, /events/subscribe]
export: [/v1/events/export, /events/export]
prefixes: [/v1, /streams, /events, /users, /tokens, /transactions, /webhooks, /auth, /keys, /docs, /console, /problems, /.well-known, /system]
exact: [/, /openapi.json, /asyncapi.json, /readyz]
{{- end }}
