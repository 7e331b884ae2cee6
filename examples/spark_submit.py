"""Starts doisoat under spark-submit, which recognises a Python application by the ending .py.

spark-submit --conf spark.driver.memory=3g examples/spark_submit.py --config doisoat.toml sync
"""

from etl.__main__ import main

if __name__ == "__main__":  # (worker processes import this file, too)
    main()
