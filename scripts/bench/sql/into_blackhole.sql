INSERT INTO nothing SELECT site, sensor, measured, `value`, event_time FROM readings;
