{{/* The first part of all names: the release, and "-headrace" if the release's name lacks it. */}}
{{- define "headrace.name" -}}
{{- $release := .Release.Name }}
{{- $default := contains "headrace" $release | ternary $release (printf "%s-headrace" $release) }}
{{- .Values.nameOverride | default $default | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "headrace.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "headrace.name" .) "default") }}
{{- end }}

{{/* Labels of every resource. */}}
{{- define "headrace.labels" -}}
app.kubernetes.io/part-of: headrace
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels that the pods of a service keep for ever. The argument has root and component. */}}
{{- define "headrace.selector" -}}
app.kubernetes.io/name: headrace
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels by which policies and Prometheus find the pods of all services. */}}
{{- define "headrace.anyService" -}}
app.kubernetes.io/name: headrace
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The name of an image with registry and tag. The argument has root and repository. */}}
{{- define "headrace.image" -}}
{{- $image := .root.Values.image }}
{{- with $image.registry }}{{ trimSuffix "/" . }}/{{ end }}
{{- .repository }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* Where a service reads REDIS_URL. The argument has root and component. */}}
{{- define "headrace.redisUrl" -}}
{{- $secret := index .root.Values.secrets (printf "%sRedisUrl" .component) }}
{{- if .root.Values.simulated.enabled }}
{{- $secret = dict "name" (include "headrace.simulatedSecret" .root) "key" (printf "%s_REDIS_URL" (upper .component)) }}
{{- end -}}
secretKeyRef: { name: {{ $secret.name | quote }}, key: {{ $secret.key | quote }} }
{{- end }}

{{/* The environment variables of all services. */}}
{{- define "headrace.settings" -}}
{{- $settings := deepCopy .Values.settings }}
{{- if .Values.archive.enabled }}
{{- $_ := set $settings "ARCHIVE_URL" .Values.archive.url }}
{{- end }}
{{- toYaml $settings }}
{{- end }}

{{/* A reference to a key of a Secret that may be missing. */}}
{{- define "headrace.optionalSecret" -}}
secretKeyRef: { name: {{ .name | quote }}, key: {{ .key | quote }}, optional: true }
{{- end }}

{{- define "headrace.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "headrace.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}
