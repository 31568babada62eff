"""What the leakage gate says to people, in Japanese and English."""

from core.source_settings import Label

SIGNS: dict[str, Label] = {
    "alone": Label(
        ja="この項目だけで、結果の組の{found}%を正しく並べます。予測ではなく、結果そのものを知っている値です",
        en="alone it puts {found}% of pairs in the right order, which is knowing the outcome, not predicting it",
    ),
    "above_all": Label(
        ja="この項目だけで結果の組の{found}%を正しく並べ、他の全項目を合わせた{others}%を上回ります",
        en="alone it puts {found}% of pairs in the right order, more than all other fields together ({others}%)",
    ),
    "one_sided": Label(
        ja="ある値を持つ{people}件がすべて{side}です(無関係なら{expected}件は逆の結果になるはずです)",
        en="all {people} with a certain value are {side}; {expected} would not be if it said nothing",
    ),
    "filled": Label(
        ja="記入率が結果で異なります(該当{won}%、非該当{lost}%)。結果が決まる頃に記入された疑いがあります",
        en="it is filled in for {won}% of those with the outcome and {lost}% of the others: filled in on the way to it",
    ),
    "telling": Label(
        ja="記入された値だけで、結果の組の{found}%を正しく並べます",
        en="where it is filled in, the value puts {found}% of pairs in the right order",
    ),
    "drifting": Label(
        ja="無作為に分けると{found}%の組を並べますが、新しい期間では{later}%に落ちます",
        en="divided at random it orders {found}% of pairs, on the newest rows only {later}%",
    ),
    "later": Label(
        ja="日付の{share}%が、予測の時点より後です",
        en="{share}% of its dates lie after the moment of prediction",
    ),
    "after_outcome": Label(
        ja="記入の{share}%が、結果が出た後に行われています",
        en="{share}% of its values were filled in after the outcome",
    ),
}
SIDES: dict[bool, Label] = {
    True: Label(ja="該当", en="on the positive side"),
    False: Label(ja="非該当", en="on the negative side"),
}
REMEDY = Label(
    ja="いつ分かる項目かを確かめてください。後から記入されるなら学習から外すか `known_at: export` と宣言し、"
    "変更履歴があれば `known_at: history` で渡してください。"
    "正しいと確認できたら `leakage.trusted` に理由とともに記します",
    en="find out when it is known: leave it out or declare `known_at: export` if it is filled in later, give its "
    "change log (`known_at: history`) if there is one, or name it with the reason under `leakage.trusted`",
)
HEADS: dict[str, Label] = {
    "strong": Label(
        ja="学習を中止しました。結果が出た後の情報が混ざっている強い疑いのある項目：{fields}",
        en="Training stopped. Strong evidence that fields know the outcome: {fields}",
    ),
    "weak": Label(ja="確認が必要な項目：{fields}", en="Fields to look at: {fields}"),
    "undeclared": Label(
        ja="いつ分かるかが宣言されていない項目：{fields}", en="Nobody declared when these are known: {fields}"
    ),
    "left_out": Label(
        ja="後から分かると宣言され、使わない項目：{fields}", en="Declared as known afterwards, not used: {fields}"
    ),
    "trusted": Label(
        ja="疑いがあるが設定により信用する項目：{fields}", en="Trusted by configuration despite evidence: {fields}"
    ),
    "clean": Label(ja="結果を知っている疑いのある項目はありません。", en="No field looks as if it knew the outcome."),
    "remedy": Label(ja="対処：{remedy}。", en="What to do: {remedy}."),
}
