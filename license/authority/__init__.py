"""The vendor's side: keys, resources, licences, and the small web service that hands them out.

Nothing on the isolated server imports this package.
"""
