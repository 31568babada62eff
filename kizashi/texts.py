"""What the command line and pictures say to people, in Japanese and in English."""

from typing import Literal

from core.source_settings import Label

Locale = Literal["ja", "en"]

TEXTS: dict[str, Label] = {
    "step_simulate": Label(ja="各システムの書き出しを生成", en="Writing the exports of a made-up company"),
    "sources": Label(ja="読み込んだデータ", en="What was read"),
    "source": Label(ja="ソース", en="source"),
    "rows": Label(ja="行", en="rows"),
    "published": Label(ja="採用", en="published"),
    "quarantined": Label(ja="隔離", en="quarantined"),
    "forgotten": Label(ja="忘却", en="forgotten"),
    "forgotten_now": Label(
        ja="1 人を忘却しました({rows:,} 行を消去、キー {keys} 件を抑止リストへ)。証跡:",
        en="One person was forgotten ({rows:,} rows erased, {keys} keys on the suppression list). Receipt:",
    ),
    "forgotten_before": Label(ja="すでに忘却済みです(証跡 {receipt})。", en="Already forgotten (receipt {receipt})."),
    "forgotten_sources": Label(
        ja="書き出し元のシステムとファイルは変更していません。そちらでも削除してください。",
        en="The systems and files that are read were not altered: delete the person there too.",
    ),
    "unused_columns": Label(
        ja="{source} の使っていない列 {count} 個：{columns}", en="{source}: {count} columns not used: {columns}"
    ),
    "people": Label(
        ja="人物レコード {records:,} 件を {customers:,} 人に統合(匿名 {anonymous:,} 人、イベント {events:,} 件)。",
        en="{records:,} records became {customers:,} people ({anonymous:,} of them anonymous), with {events:,} events.",
    ),
    "conflicts": Label(
        ja="同一とした判断のうち {count} 件は、別人とした判断と両立しないため無効です(kizashi identity review list)。",
        en="{count} decisions for one person do not hold: others forbid them (kizashi identity review list).",
    ),
    "quality_lead": Label(
        ja="受注モデルの実力(学習に使っていない期間で検証)",
        en="How good the lead model is, on a later period it never saw",
    ),
    "quality_churn": Label(
        ja="離脱モデルの実力(学習に使っていない期間で検証)",
        en="How good the churn model is, on a later period it never saw",
    ),
    "quality_revival": Label(
        ja="商談再開モデルの実力(学習に使っていない期間で検証)",
        en="How good the revival model is, on a later period it never saw",
    ),
    "quality_lookalike": Label(
        ja="類似モデルの実力(学習に使っていない期間で検証)",
        en="How good the lookalike model is, on a later period it never saw",
    ),
    "measure": Label(ja="指標", en="measure"),
    "model": Label(ja="モデル", en="model"),
    "base_rate": Label(ja="平均", en="base rate"),
    "points": Label(ja="点数ルール", en="points rules"),
    "ranking": Label(ja="順位付け AUC(0.5 = でたらめ、1 = 完璧)", en="ranking, AUC (0.5 = chance, 1 = perfect)"),
    "surprise": Label(ja="確率の誤差 log-loss(低いほど良い)", en="probability error, log-loss (lower is better)"),
    "lift": Label(ja="上位 10% に含まれる該当者(全体平均の何倍か)", en="hits among the top 10 % (times the average)"),
    "observed": Label(ja="予測 ÷ 実績(1 が理想)", en="expected ÷ observed (1 is ideal)"),
    "verdict_use": Label(ja="使う価値があります", en="worth using"),
    "verdict_keep": Label(ja="現行のルールで十分です", en="what you have today does as well"),
    "verdict_do_not_use": Label(ja="使わないでください", en="do not use"),
    "verdict": Label(ja="判定: {verdict}。{why}", en="Verdict: {verdict}. {why}"),
    "promotion_promoted": Label(ja="このモデルを採用しました", en="This model is now the champion"),
    "promotion_kept": Label(ja="これまでのモデルを使い続けます", en="The former champion stays"),
    "promotion_refused": Label(ja="このモデルは採用されませんでした", en="This model was not promoted"),
    "list_lead": Label(ja="有望なリード", en="The most promising leads"),
    "list_churn": Label(ja="離脱しそうなお客様", en="The customers most likely to leave"),
    "list_revival": Label(ja="商談が戻ってきそうな人", en="Lost deals that are most likely to come back"),
    "list_lookalike": Label(
        ja="受注したお客様に似ている人", en="People who behave like customers before they were won"
    ),
    "who": Label(ja="だれ", en="who"),
    "probability_lead": Label(ja="受注確率", en="chance"),
    "probability_churn": Label(ja="離脱確率", en="risk"),
    "probability_revival": Label(ja="再開確率", en="chance"),
    "probability_lookalike": Label(ja="確率", en="chance"),
    "score": Label(ja="スコア", en="score"),
    "grade": Label(ja="評価", en="grade"),
    "reasons": Label(ja="理由", en="reasons"),
    "anonymous": Label(ja="(匿名)", en="(anonymous)"),
    "scored_lead": Label(
        ja="{scored:,} 人を採点、うちホット {hot:,} 人。一覧: {path}",
        en="{scored:,} leads scored, {hot:,} of them hot. Full list: {path}",
    ),
    "scored_churn": Label(ja="{scored:,} 人を採点。一覧: {path}", en="{scored:,} customers scored. Full list: {path}"),
    "scored_revival": Label(ja="{scored:,} 人を採点。一覧: {path}", en="{scored:,} people scored. Full list: {path}"),
    "scored_lookalike": Label(ja="{scored:,} 人を採点。一覧: {path}", en="{scored:,} people scored. Full list: {path}"),
    "next": Label(ja="次の一歩", en="What next"),
    "next_explain": Label(ja="ひとりのリードの理由を見る", en="see why one lead is scored so"),
    "next_list": Label(ja="全員の一覧を CSV に書き出す", en="write everyone's score to a CSV file"),
    "next_own": Label(ja="自社のデータで試す", en="run it on your own exports"),
    "next_doctor": Label(ja="環境を点検する", en="check the set-up"),
    "explain_lead": Label(
        ja="{who}: 受注確率 {probability}(スコア {score}、評価 {grade})",
        en="{who}: {probability} chance of a deal (score {score}, grade {grade})",
    ),
    "explain_churn": Label(
        ja="{who}: 離脱確率 {probability}(スコア {score}、評価 {grade})",
        en="{who}: {probability} risk of leaving (score {score}, grade {grade})",
    ),
    "explain_revival": Label(
        ja="{who}: 商談が戻ってくる確率 {probability}(スコア {score}、評価 {grade})",
        en="{who}: {probability} chance that a deal comes back (score {score}, grade {grade})",
    ),
    "explain_lookalike": Label(
        ja="{who}: お客様になる確率 {probability}(スコア {score}、評価 {grade})",
        en="{who}: {probability} chance of becoming a customer (score {score}, grade {grade})",
    ),
    "contribution": Label(ja="影響(対数オッズ)", en="effect (log-odds)"),
    "subject": Label(ja="観点", en="subject"),
    "others": Label(ja="その他 {count} 項目", en="{count} others"),
    "nothing": Label(ja="該当なし。", en="None."),
    "seconds": Label(ja="{seconds:.0f} 秒で完了しました。", en="Done in {seconds:.0f} seconds."),
    "insufficient": Label(
        ja="採用されたモデルがまだないため、確率は示しません。",
        en="No model was ever promoted, so no probability is given.",
    ),
    "plot_scores": Label(ja="{count:,} 人の確率の分布", en="How the probabilities of {count:,} people are spread"),
    "plot_chance": Label(ja="{days} 日以内の{chance}(対数目盛)", en="{chance} within {days} days (log scale)"),
    "plot_people": Label(ja="人数", en="people"),
    "plot_enter": Label(ja="ホットになる {cut:.0%}({count:,} 人がホット)", en="turns hot at {cut:.0%} ({count:,} hot)"),
    "plot_grade": Label(ja="評価 {grade}({count:,} 人)", en="grade {grade} ({count:,})"),
    "plot_importance": Label(ja="何がスコアを動かしているか", en="What moves the scores"),
    "plot_importance_axis": Label(
        ja="影響の大きさの平均(対数オッズ、{count:,} 人)", en="mean size of the effect, log-odds, over {count:,} people"
    ),
    "plot_explanation": Label(
        ja="出発点 {base:.1%} から {probability:.1%} へ(スコア {score}、評価 {grade})",
        en="From {base:.1%} to {probability:.1%} (score {score}, grade {grade})",
    ),
    "plot_timeline": Label(ja="{customer} の歩み", en="The story of {customer}"),
    "plot_deal": Label(ja="商談({outcome})", en="deal ({outcome})"),
    "plot_won": Label(ja="受注", en="won"),
    "plot_lost": Label(ja="失注", en="lost"),
    "plot_open": Label(ja="進行中", en="open"),
    "plot_unanswered": Label(ja="回答の記録なし", en="nothing was answered yet"),
}

# The titles that the stages give to their work.
TASKS: dict[str, str] = {
    "read exports": "書き出しを読み込み",
    "link people": "同じ人を結び付け",
    "publish": "統合した表を公開",
    "features": "その時点で分かっていた特徴量を作成",
    "online": "最新の特徴量をオンラインへ",
    "train lead": "受注の見込みを学習",
    "train churn": "離脱の兆しを学習",
    "train revival": "失注した商談の再開を学習",
    "train lookalike": "お客様になる人の行動を学習",
    "score lead": "リードを採点",
    "score churn": "お客様の離脱を採点",
    "score revival": "失注した商談の再開を採点",
    "score lookalike": "似ている人を採点",
    "records online": "照会先をオンラインへ",
    "records": "照会先をデータベースへ",
}


def task_title(title: str, locale: Locale) -> str:
    """The title of a piece of work as people read it; one that is not listed stays as it is.

    >>> task_title("publish", "en")
    'publish'
    """
    return TASKS.get(title, title) if locale == "ja" else title


def text(key: str, locale: Locale, **values: object) -> str:
    """The sentence in the wanted language, with its values filled in.

    >>> text("seconds", "en", seconds=12.3)
    'Done in 12 seconds.'
    """
    label = TEXTS[key]
    chosen = label.ja if locale == "ja" else label.en
    return chosen.format(**values) if values else chosen
