-- A way to make the worker leave.  How the recorder fares is shown by moderation.recorder_status().

CREATE OR REPLACE FUNCTION moderation.stop_recorder() RETURNS boolean
LANGUAGE c VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'moderation_stop_recorder';
REVOKE ALL ON FUNCTION moderation.stop_recorder() FROM PUBLIC;
COMMENT ON FUNCTION moderation.stop_recorder() IS 'asks the worker to leave once nothing is queued, e.g. after a new library was installed; true if one was running';
