"""CRMs that exist only for the tests of the sandbox's shared part."""
