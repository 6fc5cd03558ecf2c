"""Made-up people. Any likeness is chance."""

FIRST_NAMES = ["Ada", "Aisha", "Amara", "Anders", "Beatriz", "Bodhi", "Camila", "Chidi", "Clara", "Daniel", "Dev", "Elena", "Elif", "Emeka", "Farah", "Felix", "Freya", "Gabriel", "Grace", "Hana", "Hugo", "Imani", "Ingrid", "Isaac", "Ivy", "Jamal", "Jonas", "June", "Kai", "Keiko", "Lars", "Leila", "Lena", "Linh", "Lucia", "Malik", "Mara", "Mateo", "Mei", "Milo", "Nadia", "Naveen", "Nina", "Noor", "Olive", "Omar", "Oscar", "Paloma", "Petra", "Priscilla", "Quinn", "Rafael", "Rania", "Rosa", "Ruben", "Sana", "Silas", "Sofia", "Tariq", "Tess", "Theo", "Uma", "Vera", "Viktor", "Wren", "Yara", "Yusuf", "Zelda", "Zoe"]
LAST_NAMES = ["Abara", "Adeyemi", "Alvarez", "Andersson", "Baptiste", "Bergstrom", "Castellano", "Chandra", "Chen", "Costa", "Dahl", "Delgado", "Diallo", "Eriksen", "Farouk", "Fischer", "Fontaine", "Garcia", "Greene", "Haddad", "Hansen", "Hollis", "Ibarra", "Ito", "Jansen", "Kaplan", "Kaur", "Kim", "Kowalski", "Lam", "Larsen", "Levin", "Lindqvist", "Lopez", "Maddox", "Marchetti", "Mbeki", "Mendez", "Moreau", "Nakamura", "Nguyen", "Novak", "Oduya", "Okafor", "Ortiz", "Park", "Patel", "Pereira", "Quist", "Rahman", "Reyes", "Rossi", "Saito", "Santos", "Schmidt", "Silva", "Sorensen", "Tanaka", "Torres", "Vance", "Vasquez", "Volkov", "Walsh", "Weiss", "Whitfield", "Yamada", "Zhou", "Zielinski"]
STREETS = (
    "Alder",
    "Birch",
    "Cedar",
    "Dogwood",
    "Elm",
    "Fern",
    "Hazel",
    "Juniper",
    "Laurel",
    "Maple",
    "Oak",
    "Willow",
)
# State, city, zone: places where the demo practice's psychiatrists are licensed.
PLACES = (
    ("CA", "Oakland", "America/Los_Angeles"),
    ("CA", "Sacramento", "America/Los_Angeles"),
    ("NY", "Albany", "America/New_York"),
    ("NY", "Brooklyn", "America/New_York"),
    ("TX", "Austin", "America/Chicago"),
    ("CO", "Boulder", "America/Denver"),
    ("AZ", "Tucson", "America/Phoenix"),
    ("WA", "Tacoma", "America/Los_Angeles"),
)
