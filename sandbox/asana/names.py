"""Names for made-up people. The second of each pair is its spelling in an e-mail address."""

FIRST = (
    ("Ada", "ada"), ("Aino", "aino"), ("Amara", "amara"), ("Anders", "anders"), ("Ángel", "angel"), ("Asha", "asha"),
    ("Beatriz", "beatriz"), ("Björn", "bjorn"), ("Chidi", "chidi"), ("Chloé", "chloe"), ("Daan", "daan"),
    ("Dimitra", "dimitra"), ("Edda", "edda"), ("Elif", "elif"), ("Emeka", "emeka"), ("Farah", "farah"),
    ("Fatou", "fatou"), ("Finn", "finn"), ("Goran", "goran"), ("Grace", "grace"), ("Hana", "hana"), ("Hiro", "hiro"),
    ("Ines", "ines"), ("Ivan", "ivan"), ("Jamal", "jamal"), ("Joana", "joana"), ("Kaito", "kaito"), ("Kofi", "kofi"),
    ("Lena", "lena"), ("Łukasz", "lukasz"), ("Mei", "mei"), ("Milan", "milan"), ("Nadia", "nadia"), ("Nils", "nils"),
    ("Oksana", "oksana"), ("Omar", "omar"), ("Paula", "paula"), ("Priya", "priya"), ("Quentin", "quentin"),
    ("Rosa", "rosa"), ("Samir", "samir"), ("Siobhán", "siobhan"), ("Tariq", "tariq"), ("Uma", "uma"),
    ("Viktor", "viktor"), ("Wanjiru", "wanjiru"), ("Xenia", "xenia"), ("Yusuf", "yusuf"), ("Zoë", "zoe"),
)  # fmt: skip

LAST = (
    ("Abebe", "abebe"), ("Achterberg", "achterberg"), ("Aguilar", "aguilar"), ("Almeida", "almeida"),
    ("Bakker", "bakker"), ("Banerjee", "banerjee"), ("Brandt", "brandt"), ("Castellanos", "castellanos"),
    ("Çelik", "celik"), ("Chowdhury", "chowdhury"), ("Dubois", "dubois"), ("Dvořák", "dvorak"), ("Eriksen", "eriksen"),
    ("Espinoza", "espinoza"), ("Fischer", "fischer"), ("Fontaine", "fontaine"), ("Gallagher", "gallagher"),
    ("Górski", "gorski"), ("Haddad", "haddad"), ("Hansen", "hansen"), ("Ibrahim", "ibrahim"), ("Ito", "ito"),
    ("Jansen", "jansen"), ("Juárez", "juarez"), ("Kamau", "kamau"), ("Kowalska", "kowalska"),
    ("Lindqvist", "lindqvist"), ("López", "lopez"),
    ("Mbeki", "mbeki"), ("Moreau", "moreau"), ("Müller", "muller"), ("Nakamura", "nakamura"),
    ("Novak", "novak"), ("O'Brien", "obrien"), ("Okafor", "okafor"), ("Olsen", "olsen"), ("Papadaki", "papadaki"),
    ("Park", "park"), ("Quispe", "quispe"), ("Rahman", "rahman"), ("Rossi", "rossi"), ("Salazar", "salazar"),
    ("Schneider", "schneider"), ("Silva", "silva"), ("Tanaka", "tanaka"), ("Traoré", "traore"), ("Ustinov", "ustinov"),
    ("Van Dijk", "vandijk"), ("Weber", "weber"), ("Wójcik", "wojcik"), ("Yamada", "yamada"), ("Zhang", "zhang"),
)  # fmt: skip

TASKS = (
    "Draft the release note", "Call the printer", "Review the contract", "Prepare the board pack", "Close the books",
    "Renew the certificate", "Plan the offsite", "Answer the audit", "Clean the backlog", "Write the brief",
    "Order new chairs", "Check the translations", "Measure the page load", "Interview the candidate", "Fix the invoice",
    "Sketch the poster", "Update the handbook", "Test the backup", "Book the room", "Count the stock",
)  # fmt: skip

AGENTS = ("Brief Builder", "Workflow Sorter", "Launch Planner")
