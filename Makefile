run:
	python app.py
test:
	bash tests/run
lint:
	ruff check . && ruff format --check . && pyright
shots:
	python -m tests.ui.shots
bench:
	python -m benchmarks.lanes --device cpu && python -m benchmarks.page
quality:
	python -m benchmarks.quality
.PHONY: run test lint shots bench quality
