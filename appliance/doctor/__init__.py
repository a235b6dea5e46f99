"""`appliance doctor`: what is wrong with this installation, and the command that fixes it. Needs no network.

facts.py      looks at the machine, changes nothing
licences.py   checks of trust roots, key, licence and clock       } pure: facts in,
storage.py    checks of mounts, file system, space and ledger     } findings out
host.py       checks of processor, memory, model, port and units  }
examine.py    which facts go to which check, in the order of the report
report.py     findings as text and as JSON
bundle.py     the support archive: nothing secret, no customer's text
"""
