"""Files of OpenML, written by hand around balance-scale (Siegler 1976), whose rows follow from a rule."""

import hashlib
from itertools import product
from xml.sax.saxutils import escape

from openml_server import study_xml

_HEAD = """% handwritten
@relation balance
@attribute 'row id' numeric
@attribute left-weight numeric
@attribute left-distance numeric
@attribute right-weight {'1','2','3','4','5','a, b'}
@attribute right-distance numeric
@attribute note string
@attribute class {L,B,R,never}
@data
"""
N_ROWS = 625


def balance_rows() -> list[tuple[int, int, int, int, str]]:
    sides = list(product(range(1, 6), repeat=4))
    return [(lw, ld, rw, rd, "BLR"[(lw * ld > rw * rd) - (lw * ld < rw * rd)]) for lw, ld, rw, rd in sides]


def balance_arff(gap: int = 7) -> str:
    """Return the data; every so many rows a weight is missing, and the second row has no class."""
    lines = []
    for row, (lw, ld, rw, rd, label) in enumerate(balance_rows()):
        weight = "?" if row % gap == gap - 1 else lw
        lines.append(f"{row},{weight},{ld},'{rw}',{rd},'note {row}',{'?' if row == 1 else label}")
    return _HEAD + "\n".join(lines) + "\n"


def splits_arff(n_repeats: int, n_folds: int) -> str:
    lines = ["@relation splits", "@attribute type {TRAIN,TEST}", "@attribute rowid numeric"]
    lines += ["@attribute repeat numeric", "@attribute fold numeric", "@data"]
    for repeat, fold in product(range(n_repeats), range(n_folds)):
        for row in reversed(range(N_ROWS)):
            lines.append(f"{'TEST' if (row * 7 + repeat * (row // 5)) % n_folds == fold else 'TRAIN'},{row},{repeat},{fold}")
    return "\n".join(lines) + "\n"


def task_xml(number: int, splits_url: str, n_repeats: int, n_folds: int, type_number: int = 1, measure: str = "") -> str:
    kind = "Supervised Classification" if type_number == 1 else "Supervised Regression"
    return f"""<oml:task xmlns:oml="http://openml.org/openml">
<oml:task_id>{number}</oml:task_id><oml:task_name>Task</oml:task_name>
<oml:task_type_id>{type_number}</oml:task_type_id><oml:task_type>{kind}</oml:task_type>
<oml:input name="source_data"><oml:data_set><oml:data_set_id>11</oml:data_set_id>
<oml:target_feature>class</oml:target_feature></oml:data_set></oml:input>
<oml:input name="estimation_procedure"><oml:estimation_procedure><oml:id>1</oml:id><oml:type>crossvalidation</oml:type>
<oml:data_splits_url>{splits_url}</oml:data_splits_url>
<oml:parameter name="number_repeats">{n_repeats}</oml:parameter><oml:parameter name="number_folds">{n_folds}</oml:parameter>
</oml:estimation_procedure></oml:input>
<oml:input name="evaluation_measures"><oml:evaluation_measures>
<oml:evaluation_measure>{measure}</oml:evaluation_measure></oml:evaluation_measures></oml:input>
</oml:task>"""


def data_xml(url: str, arff: str) -> str:
    return f"""<oml:data_set_description xmlns:oml="http://openml.org/openml">
<oml:id>11</oml:id><oml:name>balance scale</oml:name><oml:version>1</oml:version><oml:format>ARFF</oml:format>
<oml:url>{url}</oml:url><oml:parquet_url>{url}.pq</oml:parquet_url>
<oml:default_target_attribute>class</oml:default_target_attribute><oml:row_id_attribute>row id</oml:row_id_attribute>
<oml:ignore_attribute>left-distance,note</oml:ignore_attribute>
<oml:md5_checksum>{hashlib.md5(arff.encode()).hexdigest()}</oml:md5_checksum></oml:data_set_description>"""


def features_xml() -> str:
    names = ["row id", "left-weight", "left-distance", "right-weight", "right-distance", "note", "class"]
    listed = "".join(
        f"<oml:feature><oml:index>{index}</oml:index><oml:name>{escape(name)}</oml:name><oml:data_type>numeric</oml:data_type>"
        f"<oml:is_ignore>{'true' if name == 'note' else 'false'}</oml:is_ignore>"
        f"<oml:is_row_identifier>{'true' if name == 'row id' else 'false'}</oml:is_row_identifier></oml:feature>"
        for index, name in enumerate(names)
    )
    return f'<oml:data_features xmlns:oml="http://openml.org/openml">{listed}</oml:data_features>'


def balance_files(address: str) -> dict[str, bytes]:
    """Return suite 99 of three tasks: a hold-out of four, 2 times 2 folds, and a regression."""
    arff, data_url = balance_arff(), f"{address}/data/download/11/balance.arff"
    texts = {
        "/api/v1/xml/data/11": data_xml(data_url, arff),
        "/api/v1/xml/data/features/11": features_xml(),
        "/data/download/11/balance.arff": arff,
        "/api/v1/xml/study/99": study_xml(99, [31, 32, 33]).decode(),
    }
    for number, n_repeats, n_folds, type_number in ((31, 1, 4, 1), (32, 2, 2, 1), (33, 1, 2, 2)):
        path = f"/api_splits/get/{number}/Task_{number}_splits.arff"
        texts[path] = splits_arff(n_repeats, n_folds)
        texts[f"/api/v1/xml/task/{number}"] = task_xml(number, address + path, n_repeats, n_folds, type_number)
    return {path: text.encode() for path, text in texts.items()}
