"""The words of the model card, in Japanese and English."""

from typing import Literal

from core.source_settings import Label

_TEXTS: dict[str, Label] = {
    "title": Label(ja="モデルカード：{model}（{name}）", en="Model card: {model} ({name})"),
    "purpose": Label(ja="目的", en="What it is for"),
    "what": Label(
        ja="今後{days}日以内の{wins}の確率を、{people}ごとに、その時点で分かっていたことだけから見積もります"
        "（特徴量サービス {service}）。",
        en="It estimates for each of the {people} the chance of {wins} within {days} days, from nothing but what was "
        "known at the moment (feature service {service}).",
    ),
    "not_for": Label(
        ja="順位付けと優先順位の判断に使います。採用・与信・価格など、人に不利益を与える決定の唯一の根拠にはしないでください。",
        en="Use it to decide whom to call first. It must not be the only ground of a decision against a person, "
        "such as on credit, employment or price.",
    ),
    "judgement": Label(ja="判定", en="Judgement"),
    "verdict_use": Label(ja="使う価値があります。", en="Worth using."),
    "verdict_keep": Label(ja="現行の方法で十分です。", en="What you have today does as well."),
    "verdict_do_not_use": Label(ja="使わないでください。", en="Do not use it."),
    "data": Label(ja="学習と検証のデータ", en="What it learned from and was judged on"),
    "data_rows": Label(
        ja="結果の確定した{rows}行（うち該当{positives}行）。学習期間と検証期間の間には、結果が出るまでの期間を空けています。",
        en="{rows} rows whose outcome is settled, {positives} of them positive. A whole horizon lies between the part "
        "that was learned from and the part that was judged on.",
    ),
    "part": Label(ja="部分", en="part"),
    "from": Label(ja="開始", en="from"),
    "to": Label(ja="終了", en="to"),
    "rows": Label(ja="行", en="rows"),
    "quality": Label(ja="精度", en="How good it is"),
    "quality_note": Label(
        ja="学習より後の期間で測り、同じ行で他の方法と比べています。区間は人単位の再抽出による95%区間です。",
        en="Measured on a later period, beside other methods on the same rows. Intervals are 95 % intervals from "
        "drawing whole people.",
    ),
    "measure": Label(ja="指標", en="measure"),
    "model": Label(ja="モデル", en="model"),
    "interval": Label(ja="95%区間", en="95 % interval"),
    "slices": Label(ja="属性ごとの精度", en="Parts of the market"),
    "slices_note": Label(
        ja="expected_observed は予測件数÷実績件数で、1が理想です。",
        en="expected_observed is the number expected over the number that came; 1 is ideal.",
    ),
    "slice": Label(ja="属性", en="part"),
    "past": Label(ja="過去の時点での検証", en="The past predicted again"),
    "past_note": Label(
        ja="それぞれの時点で、それより前のデータだけから学習し直した結果です。無作為に分けた場合のAUCは{auc}です。",
        en="Learned anew at each moment from what came before it. Divided at random the AUC would be {auc}.",
    ),
    "leakage": Label(ja="結果の混入の検査", en="Fields that might know the outcome"),
    "limits": Label(ja="限界", en="Limits"),
    "limit_people": Label(
        ja="記録の少ない人の確率は平均に近くなります。evidence（根拠の強さ）を合わせて見てください。",
        en="People of whom little is recorded get chances near the average: look at `evidence` too.",
    ),
    "limit_time": Label(
        ja="市場や営業の進め方が変われば古くなります。期限か変化の検知で学習し直します。",
        en="It ages as the market and the way of selling change; it is trained anew by term or when drift is seen.",
    ),
    "limit_cause": Label(
        ja="理由は予測の内訳であって、原因ではありません。",
        en="Reasons say what the estimate is made of, not what causes the outcome.",
    ),
    "limit_use": Label(
        ja="プロファイリングを拒否した人は、学習にも採点にも含まれません。",
        en="Whoever refuses profiling is neither learned from nor scored.",
    ),
    "features": Label(ja="使っている情報", en="What it reads"),
    "features_note": Label(
        ja="特徴量{count}個（定義の指紋 {fingerprint}、データの指紋 {data}）。観点：",
        en="{count} features (fingerprint of their definition {fingerprint}, of the data {data}), about:",
    ),
}


def card_text(key: str, language: Literal["ja", "en"], **values: object) -> str:
    """One text with its values filled in."""
    label = _TEXTS[key]
    return (label.ja if language == "ja" else label.en).format(**values)
