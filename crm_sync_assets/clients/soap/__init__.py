"""Services that speak SOAP 1.1: zeep reads the WSDL and writes messages, `Http` carries them."""
