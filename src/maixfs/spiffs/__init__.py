"""SPIFFS: the flash file system of MaixPy, ESP-IDF and the ESP8266, at any geometry."""
