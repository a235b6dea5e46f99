"""What both sides of the air gap must agree on: notes, licences, evidence; and the vendor's authority."""
