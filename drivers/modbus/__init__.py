"""Weight transmitters and loggers on Modbus: register maps as data."""
