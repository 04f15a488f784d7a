-- Where a late reading is decided.
--
-- Parameters: day_ms, allowed_lateness_ms (L), open_ms (how long the windows stay open: L + C), watermark_delay_ms (B),
--   first_ms and last_ms (the readings that a bounded run is about; a live run is about all).
--
-- too_late: the sensor itself is already too far past the end of the reading's day.
-- window_purged: the sensor is not, but all others are: it was offline for longer than C, and the state of that day
--   is gone. Flink would drop the reading without a word. This is the one verdict that depends on the watermark.
CREATE TEMPORARY VIEW judged AS
SELECT
    site, sensor, measured, `value`, event_time, clock,
    CASE
        WHEN day_end + ${allowed_lateness_ms} <= clock - ${watermark_delay_ms} THEN 'too_late'
        WHEN TO_TIMESTAMP_LTZ(day_end - 1 + ${open_ms}, 3) <= CURRENT_WATERMARK(event_time) THEN 'window_purged'
    END AS verdict
FROM (
    SELECT *, measured - MOD(measured, ${day_ms}) + ${day_ms} AS day_end
    FROM clocked
    WHERE clock IS NOT NULL
)
WHERE measured BETWEEN ${first_ms} AND ${last_ms};
