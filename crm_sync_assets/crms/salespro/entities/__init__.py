"""Entities of SalesPro, one file each."""
