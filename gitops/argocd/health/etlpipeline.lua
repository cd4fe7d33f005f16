-- The health of an EtlPipeline, by the rules of kstatus, so that Argo CD and Flux judge it alike:
-- Healthy is Current, Progressing is InProgress or Terminating, Degraded is Failed.
-- A failed run is not an unhealthy pipeline: what the cluster should have of it is there. The message tells of it.
-- Argo CD gives a script no library but Lua's base and table.

local function said(condition)
  if (condition.reason or "") == "" then
    return condition.message or ""
  end
  return condition.reason .. ": " .. (condition.message or "")
end

local status = obj.status or {}
if obj.metadata.deletionTimestamp then
  return {status = "Progressing", message = "it is being deleted"}
end
if status.observedGeneration and status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "the operator has not seen it yet"}
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
  if condition.type == "Reconciling" and condition.status == "True" then
    return {status = "Progressing", message = condition.message}
  end
  if condition.type == "Stalled" and condition.status == "True" then
    return {status = "Degraded", message = said(condition)}
  end
end

local ready, run, suspended = conditions.Ready, conditions.RunSucceeded, conditions.Suspended
if ready and ready.status ~= "True" then
  return {status = "Progressing", message = said(ready)}
end
if run and run.status == "False" then
  return {status = "Healthy", message = "the last run did not succeed: " .. said(run)}
end
if suspended and suspended.status == "True" then
  return {status = "Healthy", message = suspended.message}
end
return {status = "Healthy", message = ready and ready.message or ""}
