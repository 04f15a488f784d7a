INSERT INTO nothing SELECT site, sensor, ts, `value`, event_time FROM readings;
