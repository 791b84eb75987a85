"""The invented house's parties: itself, whom it buys from, sells to and stores for, and the people there."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DemoParty:
    """A company, or with `works_at` a person there. Addresses and numbers are nobody's."""

    ref: str
    name: str
    name_he: str
    roles: tuple[str, ...] = ()
    parent: str | None = None
    reg_no: str | None = None
    phone: str | None = None
    email: str | None = None
    street: str = ""
    city: str = ""
    segment: str | None = None
    employees: int | None = None
    works_at: str | None = None
    job: str | None = None
    primary: bool = False
    language: str = "he"

    @property
    def kind(self) -> str:
        return "person" if self.works_at else "company"


def _person(ref: str, name: str, name_he: str, at: str, job: str, phone: str, *, primary: bool = False) -> DemoParty:
    mail = f"{name.lower().replace(' ', '.')}@example.com"
    return DemoParty(ref, name, name_he, phone=phone, email=mail, works_at=at, job=job, primary=primary)


HOUSE = DemoParty(
    "HOUSE",
    "Galil Fine Foods",
    "גליל מזון משובח",
    ("house", "owner"),
    "GRP-01",
    "514000011",
    "+97245550100",
    "office@galil.example",
    "7 HaYotsrim St.",
    "Karmiel",
    employees=64,
)

PARTIES = (
    DemoParty(
        "GRP-01", "Galil Group Holdings", "קבוצת גליל אחזקות", ("owner",), reg_no="514000003", city="Karmiel", employees=310
    ),
    HOUSE,
    DemoParty(
        "SUP-014",
        "Golan Poultry and Fish",
        "עופות ודגי הגולן",
        ("supplier",),
        None,
        "514000102",
        "+97245550114",
        "orders@golan.example",
        "3 HaBasalt St.",
        "Katzrin",
        employees=140,
    ),
    DemoParty(
        "SUP-027",
        "Carmel Pantry",
        "מזווה הכרמל",
        ("customer", "supplier"),
        None,
        "514000110",
        "+97245550127",
        "sales@carmel.example",
        "21 HaOren St.",
        "Yokneam",
        segment="shops",
        employees=38,
    ),
    DemoParty(
        "SUP-033",
        "Kinneret Packaging",
        "אריזות כנרת",
        ("supplier",),
        None,
        "514000128",
        "+97245550133",
        "office@kinneret.example",
        "12 HaMelacha St.",
        "Tiberias",
        employees=22,
    ),
    DemoParty(
        "SUP-041",
        "Negev Dairy",
        "מחלבות הנגב",
        ("supplier",),
        None,
        "514000136",
        "+97285550141",
        "dispatch@negev.example",
        "2 HaRefet St.",
        "Beer Sheva",
        employees=95,
    ),
    DemoParty(
        "CUS-100",
        "Kinar Hotels",
        "מלונות כינר",
        ("customer",),
        None,
        "514000201",
        "+97245550200",
        "purchasing@kinar.example",
        "1 HaTayelet St.",
        "Tiberias",
        segment="hotels",
        employees=900,
    ),
    DemoParty(
        "CUS-101",
        "Kinar Lake Hotel",
        "מלון כינר אגם",
        ("customer",),
        "CUS-100",
        None,
        "+97245550201",
        city="Tiberias",
        segment="hotels",
    ),
    DemoParty(
        "CUS-102",
        "Kinar Mountain Hotel",
        "מלון כינר הר",
        ("customer",),
        "CUS-100",
        None,
        "+97245550202",
        city="Safed",
        segment="hotels",
    ),
    DemoParty(
        "CUS-110",
        "Haifa Delicatessen",
        "מעדניית חיפה",
        ("customer",),
        None,
        "514000219",
        "+97245550210",
        "shop@deli.example",
        "44 HaNamal St.",
        "Haifa",
        segment="shops",
        employees=11,
    ),
    DemoParty(
        "CUS-120",
        "Arava Catering",
        "קייטרינג הערבה",
        ("customer",),
        None,
        "514000227",
        "+97285550220",
        "kitchen@arava.example",
        "9 HaDkalim St.",
        "Eilat",
        segment="catering",
        employees=27,
        language="en",
    ),
    DemoParty(
        "CAR-01", "North Haulage", "הובלות הצפון", ("carrier",), None, "514000300", "+97245550301", city="Acre", employees=33
    ),
    DemoParty(
        "CAR-02", "Bay Cold Freight", "קירור המפרץ", ("carrier",), None, "514000318", "+97245550302", city="Haifa", employees=58
    ),
    DemoParty(
        "LAB-01",
        "Upper Galilee Olive Press",
        "בית הבד גליל עליון",
        ("lab_client", "supplier"),
        None,
        "514000326",
        "+97245550310",
        "press@olive.example",
        city="Rosh Pina",
        employees=9,
    ),
    DemoParty(
        "OWN-01",
        "Jezreel Grain Growers",
        "מגדלי עמק יזרעאל",
        ("owner", "customer"),
        None,
        "514000334",
        "+97245550320",
        city="Afula",
    ),
    _person("PER-01", "Michal Regev", "מיכל רגב", "SUP-014", "Sales", "+972505550101", primary=True),
    _person("PER-02", "Yusuf Khoury", "יוסף ח׳ורי", "SUP-027", "Owner", "+972505550102", primary=True),
    _person("PER-03", "Anat Peled", "ענת פלד", "SUP-033", "Office", "+972505550103", primary=True),
    _person("PER-04", "Boris Katz", "בוריס כץ", "CUS-100", "Purchasing", "+972505550104", primary=True),
    _person("PER-05", "Rania Saleh", "ראניה סאלח", "CUS-101", "Chef", "+972505550105", primary=True),
    _person("PER-06", "Eitan Bar", "איתן בר", "CAR-01", "Dispatcher", "+972505550106", primary=True),
    _person("PER-07", "Tamar Golan", "תמר גולן", "LAB-01", "Miller", "+972505550107", primary=True),
    _person("PER-08", "Dov Shahar", "דב שחר", "CUS-100", "Accounts", "+972505550108"),
)
