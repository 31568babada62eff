"""Words of the made-up company and its market, each in Japanese and in English or romaji."""

from typing import Final

SURNAMES: Final = [
    ("佐藤", "サトウ", "sato"),
    ("鈴木", "スズキ", "suzuki"),
    ("高橋", "タカハシ", "takahashi"),
    ("田中", "タナカ", "tanaka"),
    ("伊藤", "イトウ", "ito"),
    ("渡辺", "ワタナベ", "watanabe"),
    ("山本", "ヤマモト", "yamamoto"),
    ("中村", "ナカムラ", "nakamura"),
    ("小林", "コバヤシ", "kobayashi"),
    ("加藤", "カトウ", "kato"),
    ("吉田", "ヨシダ", "yoshida"),
    ("山田", "ヤマダ", "yamada"),
    ("佐々木", "ササキ", "sasaki"),
    ("山口", "ヤマグチ", "yamaguchi"),
    ("松本", "マツモト", "matsumoto"),
    ("井上", "イノウエ", "inoue"),
    ("木村", "キムラ", "kimura"),
    ("林", "ハヤシ", "hayashi"),
    ("斎藤", "サイトウ", "saito"),
    ("清水", "シミズ", "shimizu"),
    ("山崎", "ヤマザキ", "yamazaki"),
    ("森", "モリ", "mori"),
    ("池田", "イケダ", "ikeda"),
    ("橋本", "ハシモト", "hashimoto"),
    ("阿部", "アベ", "abe"),
    ("石川", "イシカワ", "ishikawa"),
    ("山下", "ヤマシタ", "yamashita"),
    ("中島", "ナカジマ", "nakajima"),
    ("石井", "イシイ", "ishii"),
    ("小川", "オガワ", "ogawa"),
    ("前田", "マエダ", "maeda"),
    ("岡田", "オカダ", "okada"),
    ("長谷川", "ハセガワ", "hasegawa"),
    ("藤田", "フジタ", "fujita"),
    ("後藤", "ゴトウ", "goto"),
    ("近藤", "コンドウ", "kondo"),
    ("村上", "ムラカミ", "murakami"),
    ("遠藤", "エンドウ", "endo"),
    ("青木", "アオキ", "aoki"),
    ("坂本", "サカモト", "sakamoto"),
    ("福田", "フクダ", "fukuda"),
    ("太田", "オオタ", "ota"),
    ("西村", "ニシムラ", "nishimura"),
    ("藤井", "フジイ", "fujii"),
    ("岡本", "オカモト", "okamoto"),
    ("金子", "カネコ", "kaneko"),
    ("藤原", "フジワラ", "fujiwara"),
    ("三浦", "ミウラ", "miura"),
    ("中野", "ナカノ", "nakano"),
    ("原田", "ハラダ", "harada"),
    ("松田", "マツダ", "matsuda"),
    ("竹内", "タケウチ", "takeuchi"),
    ("小野", "オノ", "ono"),
    ("田村", "タムラ", "tamura"),
    ("中山", "ナカヤマ", "nakayama"),
    ("和田", "ワダ", "wada"),
    ("石田", "イシダ", "ishida"),
    ("森田", "モリタ", "morita"),
    ("上田", "ウエダ", "ueda"),
    ("原", "ハラ", "hara"),
]
GIVEN_NAMES: Final = [
    ("健太", "ケンタ", "kenta"),
    ("翔太", "ショウタ", "shota"),
    ("大輔", "ダイスケ", "daisuke"),
    ("拓也", "タクヤ", "takuya"),
    ("直樹", "ナオキ", "naoki"),
    ("達也", "タツヤ", "tatsuya"),
    ("誠", "マコト", "makoto"),
    ("浩", "ヒロシ", "hiroshi"),
    ("隆", "タカシ", "takashi"),
    ("剛", "ツヨシ", "tsuyoshi"),
    ("学", "マナブ", "manabu"),
    ("修", "オサム", "osamu"),
    ("一郎", "イチロウ", "ichiro"),
    ("和也", "カズヤ", "kazuya"),
    ("哲也", "テツヤ", "tetsuya"),
    ("亮", "リョウ", "ryo"),
    ("純", "ジュン", "jun"),
    ("智", "サトシ", "satoshi"),
    ("悠斗", "ユウト", "yuto"),
    ("蓮", "レン", "ren"),
    ("陽一", "ヨウイチ", "yoichi"),
    ("正樹", "マサキ", "masaki"),
    ("裕介", "ユウスケ", "yusuke"),
    ("慎一", "シンイチ", "shinichi"),
    ("信之", "ノブユキ", "nobuyuki"),
    ("美咲", "ミサキ", "misaki"),
    ("愛", "アイ", "ai"),
    ("由美", "ユミ", "yumi"),
    ("恵", "メグミ", "megumi"),
    ("香織", "カオリ", "kaori"),
    ("真由美", "マユミ", "mayumi"),
    ("久美子", "クミコ", "kumiko"),
    ("陽子", "ヨウコ", "yoko"),
    ("智子", "トモコ", "tomoko"),
    ("裕子", "ユウコ", "yuko"),
    ("直美", "ナオミ", "naomi"),
    ("彩", "アヤ", "aya"),
    ("舞", "マイ", "mai"),
    ("千尋", "チヒロ", "chihiro"),
    ("麻衣", "マイ", "mai"),
    ("奈々", "ナナ", "nana"),
    ("明美", "アケミ", "akemi"),
    ("幸子", "サチコ", "sachiko"),
    ("葵", "アオイ", "aoi"),
    ("沙織", "サオリ", "saori"),
    ("理恵", "リエ", "rie"),
    ("典子", "ノリコ", "noriko"),
    ("優子", "ユウコ", "yuko"),
]

COMPANY_REGIONS: Final = [
    ("東都", "tohto"),
    ("北海", "hokkai"),
    ("みちのく", "michinoku"),
    ("常磐", "joban"),
    ("武蔵", "musashi"),
    ("相模", "sagami"),
    ("駿河", "suruga"),
    ("東海", "tokai"),
    ("北陸", "hokuriku"),
    ("信濃", "shinano"),
    ("近江", "omi"),
    ("京", "kyo"),
    ("浪速", "naniwa"),
    ("神戸", "kobe"),
    ("瀬戸内", "setouchi"),
    ("安芸", "aki"),
    ("讃岐", "sanuki"),
    ("伊予", "iyo"),
    ("土佐", "tosa"),
    ("筑紫", "chikushi"),
    ("肥後", "higo"),
    ("薩摩", "satsuma"),
    ("琉球", "ryukyu"),
    ("関東", "kanto"),
    ("中部", "chubu"),
    ("西日本", "nishinihon"),
    ("太平洋", "taiheiyo"),
    ("日之出", "hinode"),
    ("富士", "fuji"),
    ("桜", "sakura"),
]
COMPANY_STEMS: Final = [
    ("みらい", "mirai"),
    ("あおば", "aoba"),
    ("ひかり", "hikari"),
    ("共栄", "kyoei"),
    ("三和", "sanwa"),
    ("大成", "taisei"),
    ("協和", "kyowa"),
    ("東洋", "toyo"),
    ("新栄", "shinei"),
    ("丸伸", "marushin"),
    ("山善", "yamazen"),
    ("昭栄", "shoei"),
    ("千歳", "chitose"),
    ("旭", "asahi"),
    ("若葉", "wakaba"),
    ("明和", "meiwa"),
    ("日進", "nisshin"),
    ("太陽", "taiyo"),
    ("双葉", "futaba"),
    ("末広", "suehiro"),
    ("平和", "heiwa"),
    ("第一", "daiichi"),
    ("中央", "chuo"),
    ("三洋", "sanyo"),
    ("光洋", "koyo"),
    ("永大", "eidai"),
    ("福寿", "fukuju"),
    ("豊国", "toyokuni"),
    ("朝日野", "asahino"),
    ("松風", "matsukaze"),
    ("白鳥", "hakucho"),
    ("清流", "seiryu"),
    ("青雲", "seiun"),
    ("飛鳥", "asuka"),
    ("瑞穂", "mizuho-s"),
    ("常盤", "tokiwa"),
]
COMPANY_TRADES: Final = [
    ("電機", "denki"),
    ("精工", "seiko"),
    ("化学", "kagaku"),
    ("建設", "kensetsu"),
    ("物流", "logi"),
    ("食品", "foods"),
    ("商事", "shoji"),
    ("システム", "systems"),
    ("ソフト", "soft"),
    ("メディカル", "medical"),
    ("印刷", "print"),
    ("不動産", "estate"),
    ("工業", "kogyo"),
    ("製作所", "works"),
    ("サービス", "service"),
    ("情報", "joho"),
    ("金属", "kinzoku"),
    ("薬品", "yakuhin"),
    ("教育", "edu"),
    ("運輸", "unyu"),
    ("設計", "sekkei"),
    ("通商", "trade"),
    ("フーズ", "dining"),
    ("テック", "tech"),
    ("ホールディングス", "hd"),
    ("機械", "kikai"),
    ("紙業", "paper"),
    ("証券", "sec"),
    ("研究所", "lab"),
    ("警備", "guard"),
    ("旅行", "travel"),
    ("デザイン", "design"),
    ("コンサルティング", "consulting"),
    ("エネルギー", "energy"),
]
COMPANY_FORMS: Final = [
    ("株式会社{}", "{} K.K."),
    ("{}株式会社", "{} Co., Ltd."),
    ("(株){}", "{} Inc."),
    ("有限会社{}", "{} Ltd."),
]

# name in Japanese, in English, effect on fit
INDUSTRIES: Final = [
    ("製造業", "Manufacturing", 0.15),
    ("情報通信業", "Information Technology", 0.50),
    ("卸売・小売業", "Wholesale and Retail", -0.10),
    ("建設業", "Construction", -0.35),
    ("金融・保険業", "Finance and Insurance", 0.30),
    ("運輸・物流業", "Transport and Logistics", 0.0),
    ("医療・福祉", "Healthcare", -0.20),
    ("教育", "Education", -0.45),
    ("サービス業", "Services", 0.0),
    ("不動産業", "Real Estate", -0.25),
]
# lower bound of employees, effect on fit
SIZE_EFFECTS: Final = [(1, -0.45), (30, -0.15), (100, 0.20), (300, 0.35), (1000, 0.20), (5000, -0.10)]
# titles in Japanese, titles in English, effect on fit
RANKS: Final[list[tuple[list[str], list[str], float]]] = [
    (["担当", "一般社員", "メンバー", "主任"], ["Staff", "Member", "Specialist", "Senior Staff"], -0.30),
    (["係長", "課長代理", "リーダー"], ["Assistant Manager", "Deputy Manager", "Team Leader"], 0.0),
    (["課長", "マネージャー", "ﾏﾈｰｼﾞｬｰ"], ["Manager", "Section Manager", "Mgr."], 0.30),
    (["部長", "本部長", "部長代行"], ["General Manager", "Division Head", "Acting GM"], 0.40),
    (["代表取締役", "取締役", "執行役員"], ["CEO", "Director", "Executive Officer"], 0.10),
]
# name as Marketo and Salesforce hold it, Japanese, effect on fit
LEAD_SOURCES: Final = [
    ("Web", "Web", 0.10),
    ("Webinar", "ウェビナー", 0.15),
    ("Trade Show", "展示会", -0.10),
    ("Advertisement", "広告", -0.25),
    ("Partner Referral", "パートナー紹介", 0.45),
    ("List Import", "リスト購入", -0.45),
]
FREE_MAIL_EFFECT: Final = -0.60
FREE_MAIL_DOMAINS: Final = ["gmail.com", "yahoo.co.jp", "outlook.jp", "icloud.com", "nifty.com"]

PREFECTURES: Final = [
    ("東京都", "Tokyo"),
    ("神奈川県", "Kanagawa"),
    ("大阪府", "Osaka"),
    ("愛知県", "Aichi"),
    ("埼玉県", "Saitama"),
    ("千葉県", "Chiba"),
    ("兵庫県", "Hyogo"),
    ("北海道", "Hokkaido"),
    ("福岡県", "Fukuoka"),
    ("静岡県", "Shizuoka"),
    ("京都府", "Kyoto"),
    ("広島県", "Hiroshima"),
    ("宮城県", "Miyagi"),
    ("新潟県", "Niigata"),
    ("長野県", "Nagano"),
    ("石川県", "Ishikawa"),
    ("岡山県", "Okayama"),
    ("沖縄県", "Okinawa"),
]
AREA_CODES: Final = [
    "03",
    "045",
    "06",
    "052",
    "048",
    "043",
    "078",
    "011",
    "092",
    "054",
    "075",
    "082",
    "022",
    "025",
    "026",
    "076",
    "086",
    "098",
]
DEPARTMENTS: Final = [
    ("情報システム部", "IT"),
    ("営業部", "Sales"),
    ("総務部", "General Affairs"),
    ("経営企画部", "Corporate Planning"),
    ("人事部", "Human Resources"),
    ("経理部", "Accounting"),
    ("製造部", "Production"),
    ("マーケティング部", "Marketing"),
    ("購買部", "Purchasing"),
    ("研究開発部", "R&D"),
    ("品質保証部", "Quality Assurance"),
    ("カスタマーサポート部", "Customer Support"),
]
PRODUCTS: Final = [
    ("クモノ経費", "Kumono Expense"),
    ("クモノ勤怠", "Kumono Attendance"),
    ("クモノ契約", "Kumono Contract"),
    ("クモノ分析", "Kumono Analytics"),
]
PLANS: Final = [
    ("スタンダード", "Standard", 30_000),
    ("ビジネス", "Business", 80_000),
    ("エンタープライズ", "Enterprise", 240_000),
]
LOSS_REASONS: Final = [
    ("価格", "Price"),
    ("競合に決定", "Competitor"),
    ("時期尚早", "Timing"),
    ("予算凍結", "No budget"),
    ("連絡不通", "No response"),
]
STAGE_NAMES: Final = [
    ("商談化", "Qualification"),
    ("提案", "Proposal"),
    ("見積・交渉", "Negotiation"),
    ("受注", "Closed Won"),
    ("失注", "Closed Lost"),
]
STAGE_PROBABILITIES: Final = [20, 40, 70, 100, 0]
FORMS: Final = [
    ("資料請求", "Request Brochure"),
    ("ホワイトペーパー", "Whitepaper"),
    ("お問い合わせ", "Contact Us"),
    ("見積依頼", "Request Quote"),
    ("セミナー申込", "Seminar Registration"),
]
TEAMS: Final = [
    ("第一営業部", "Sales 1"),
    ("第二営業部", "Sales 2"),
    ("インサイドセールス", "Inside Sales"),
    ("パートナー営業部", "Partner Sales"),
]
TRADE_FAIRS: Final = [
    ("春の業務改革EXPO", "Spring Business EXPO"),
    ("クラウドWEEK", "Cloud Week"),
    ("秋のDX総合展", "Autumn DX Fair"),
    ("バックオフィスDAYS", "Back Office Days"),
]
SHOP_ITEMS: Final = [
    ("BK001", "ｸﾓﾉ経費 入門ｶﾞｲﾄﾞ", 2_970),
    ("BK002", "勤怠管理ﾊﾝﾄﾞﾌﾞｯｸ", 3_520),
    ("TR001", "管理者研修 ﾁｹｯﾄ", 33_000),
    ("TR002", "ｵﾝﾗｲﾝ講座", 11_000),
    ("GD001", "ﾉｰﾄ&ﾍﾟﾝ ｾｯﾄ", 1_650),
]
STORES: Final = ["新宿ショールーム", "梅田ショールーム", "オンラインストア"]
FEATURES: Final = ["login", "dashboard", "expense_entry", "approval", "report", "api", "user_admin", "export"]

SITE: Final = "https://www.kumono.example"
GENERAL_PAGES: Final = [
    "/",
    "/products/expense",
    "/products/attendance",
    "/products/contract",
    "/products/analytics",
    "/blog/invoice-rules",
    "/blog/paperless",
    "/blog/overtime",
    "/company",
    "/news",
    "/support/help",
    "/recruit",
]
PRICING_PAGES: Final = ["/pricing", "/pricing/simulator", "/pricing/enterprise"]
COMPARE_PAGES: Final = [
    "/compare",
    "/case-studies/manufacturing",
    "/case-studies/it",
    "/case-studies/retail",
    "/security",
]
PAGES: Final = GENERAL_PAGES + PRICING_PAGES + COMPARE_PAGES
_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
BROWSERS: Final = [
    f"{_WINDOWS} Chrome/126.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_APPLE} Version/17.4 Safari/605.1.15",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {_APPLE} Version/17.5 Mobile/15E148 Safari/604.1",
    f"{_WINDOWS} Chrome/125.0.0.0 Safari/537.36 Edg/125.0.0.0",
]

_KANA_FULL = (
    "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲンァィゥェォャュョッー"
)
_KANA_HALF = "ｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜｦﾝｧｨｩｪｫｬｭｮｯｰ"
_VOICED = "ガギグゲゴザジズゼゾダヂヅデドバビブベボ"
_VOICED_BASE = "カキクケコサシスセソタチツテトハヒフヘホ"
_HALF_WIDTH = dict(zip(_KANA_FULL, _KANA_HALF, strict=True))
_HALF_WIDTH |= {voiced: _HALF_WIDTH[base] + "ﾞ" for voiced, base in zip(_VOICED, _VOICED_BASE, strict=True)}
_HALF_WIDTH |= {voiced: _HALF_WIDTH[base] + "ﾟ" for voiced, base in zip("パピプペポ", "ハヒフヘホ", strict=True)}


def half_width_kana(text: str) -> str:
    """Full-width katakana as old tills print it.

    >>> half_width_kana("ワタナベ")
    'ﾜﾀﾅﾍﾞ'
    """
    return "".join(_HALF_WIDTH.get(letter, letter) for letter in text)


def full_width_ascii(text: str) -> str:
    """ASCII letters, digits and signs in their full-width forms.

    >>> full_width_ascii("03-1234")
    '０３－１２３４'
    """
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)
