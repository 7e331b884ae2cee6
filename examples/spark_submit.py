"""doisoat as spark-submit begins it, which knows an application of Python by its file's name.

spark-submit --conf spark.driver.memory=3g examples/spark_submit.py --config doisoat.toml sync
"""

from etl.__main__ import main

if __name__ == "__main__":  # (its worker processes import this file)
    main()
