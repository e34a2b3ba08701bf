{{/*
What the pods of a service need for the archive: secret, cache, mounts, volumes and fsGroup; empty for a
service that does not use the archive. The argument has root and component.
*/}}
{{- define "headrace.archive.parts" -}}
{{- $archive := .root.Values.archive }}
{{- $readOnly := ne .component "archiver" }}
{{- if and $archive.enabled (ne .component "indexer") -}}
secret: {{ $readOnly | ternary $archive.readSecret $archive.secret | quote }}
{{- if $readOnly }}
cache: /cache
{{- else if $archive.volume.enabled }}
fsGroup: 10001
{{- end }}
{{- if or $readOnly $archive.volume.enabled }}
mounts:
  {{- if $readOnly }}
  - { name: archive-cache, mountPath: /cache }
  {{- end }}
  {{- if $archive.volume.enabled }}
  - { name: archive, mountPath: /archive{{ if $readOnly }}, readOnly: true{{ end }} }
  {{- end }}
volumes:
  {{- if $readOnly }}
  - { name: archive-cache, emptyDir: { sizeLimit: {{ $archive.cacheSize | quote }} } }
  {{- end }}
  {{- if $archive.volume.enabled }}
  - name: archive
    persistentVolumeClaim: { claimName: {{ include "headrace.archive.claim" .root | quote }}{{ if $readOnly }}, readOnly: true{{ end }} }
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "headrace.archive.claim" -}}
{{- .Values.archive.volume.existingClaim | default (printf "%s-archive" (include "headrace.name" .)) }}
{{- end }}
