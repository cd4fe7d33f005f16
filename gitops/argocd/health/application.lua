-- The health of an Application that is part of another. Argo CD has none of its own since 1.8, and without one a sync
-- wave does not wait for it.
local health = (obj.status or {}).health or {}
return {status = health.status or "Progressing", message = health.message or ""}
