"""search_v2 and search/continue_v2."""
from dropbox import files

from common import equal, refused, run, wait_until

Options = files.SearchOptions


def found(account, query, highlights=False, **options):
    """All hits of a search over all pages, as {path: match}."""
    fields = files.SearchMatchFieldOptions(include_highlights=True) if highlights else None
    page = account.sdk.files_search_v2(query, Options(**options) if options else None, fields)
    matches = list(page.matches)
    while page.has_more:
        page = account.sdk.files_search_continue_v2(page.cursor)
        matches += page.matches
    hits = {match.metadata.get_metadata().path_lower: match for match in matches}
    equal(len(hits), len(matches), "no hit comes twice")
    return hits


def test_names_and_words(ann):
    ann.put("/Reports/Quarterly figures.txt", b"the turnover of marmalade rose")
    path = "/reports/quarterly figures.txt"
    for query in ("marmalade", "MARMALADE", "quarterly", "turnover figures", "marmal", '"turnover of marmalade"'):
        ann.finds(query, path)
    for query in ("marzipan", "marmalade marzipan", '"marmalade turnover"', "-marmalade quarterly"):
        equal(found(ann, query), {}, query)


def test_how_a_hit_looks(ann):
    made = ann.put("/Looks/walrus.txt", b"a text about tusks")
    ann.finds("tusks", "/looks/walrus.txt")
    hit = found(ann, "tusks")["/looks/walrus.txt"]
    seen = hit.metadata.get_metadata()
    equal((seen.id, seen.rev, seen.size, seen.content_hash), (made.id, made.rev, 18, made.content_hash))
    assert hit.match_type.is_file_content(), hit.match_type
    assert found(ann, "walrus")["/looks/walrus.txt"].match_type.is_filename()
    ann.put("/Looks/tusks.txt", b"tusks again")
    ann.finds("tusks", "/looks/tusks.txt", "/looks/walrus.txt")
    wait_until(lambda: found(ann, "tusks")["/looks/tusks.txt"].match_type.is_filename_and_content())


def test_highlights(ann):
    ann.put("/h.txt", "Übrigens: die Giraffe läuft, und die Giraffe trinkt.".encode())
    ann.finds("giraffe", "/h.txt")
    spans = found(ann, "giraffe", highlights=True)["/h.txt"].highlight_spans
    marked = [span.highlight_str for span in spans if span.is_highlighted]
    assert marked and all(word.lower() == "giraffe" for word in marked), spans
    text = "".join(span.highlight_str for span in spans)
    assert "die Giraffe läuft" in text, text


def test_folders_are_found_by_name(ann):
    ann.sdk.files_create_folder_v2("/Zanzibar holiday")
    hit = wait_until(lambda: found(ann, "zanzibar"))["/zanzibar holiday"]
    assert isinstance(hit.metadata.get_metadata(), files.FolderMetadata)


def test_options(ann):
    for number in range(12):
        folder, kind = ("in", "out")[number % 2], ("txt", "md", "csv")[number % 3]
        ann.put(f"/{folder}/n{number:02}.{kind}", b"porcupine number %d" % number)
    wait_until(lambda: len(found(ann, "porcupine")) == 12)
    equal(sorted(found(ann, "porcupine", path="/IN")), [f"/in/n{n:02}.{('txt', 'md', 'csv')[n % 3]}" for n in range(0, 12, 2)])
    equal(len(found(ann, "porcupine", file_extensions=["md", "csv"])), 8)
    equal(found(ann, "porcupine", filename_only=True), {})
    equal(list(found(ann, "n07", filename_only=True)), ["/out/n07.md"])
    newest = list(found(ann, "porcupine", order_by=files.SearchOrderBy.last_modified_time))
    stamps = [ann.sdk.files_get_metadata(path).server_modified for path in newest]
    equal(stamps, sorted(stamps, reverse=True))
    refused("path/not_found", ann.sdk.files_search_v2, "porcupine", Options(path="/nowhere"))
    spreadsheet = files.FileCategory.spreadsheet
    equal({path[-3:] for path in found(ann, "porcupine", file_categories=[spreadsheet])}, {"csv"})


def test_pages(ann):
    for number in range(23):
        ann.put(f"/pages/{number}.txt", b"armadillo %d" % number)
    wait_until(lambda: len(found(ann, "armadillo")) == 23)
    page, sizes, paths = ann.sdk.files_search_v2("armadillo", Options(max_results=5)), [], []
    while True:
        sizes.append(len(page.matches))
        paths += [match.metadata.get_metadata().path_lower for match in page.matches]
        if not page.has_more:
            break
        page = ann.sdk.files_search_continue_v2(page.cursor)
    equal((sizes, len(set(paths))), ([5, 5, 5, 5, 3], 23))


def test_a_page_after_a_delete_has_only_what_is_there(ann):
    for number in range(9):
        ann.put(f"/del/{number}.txt", b"pangolin")
    wait_until(lambda: len(found(ann, "pangolin")) == 9)
    page = ann.sdk.files_search_v2("pangolin", Options(max_results=3))
    seen = {match.metadata.get_metadata().path_lower for match in page.matches}
    gone = {f"/del/{number}.txt" for number in range(9)} - seen
    for path in gone:
        ann.sdk.files_delete_v2(path)
    while page.has_more:
        page = ann.sdk.files_search_continue_v2(page.cursor)
        equal([match.metadata.get_metadata().path_lower for match in page.matches], [])


def test_gone_at_once(ann):
    ann.put("/g/one.txt", b"okapi")
    ann.put("/g/two.txt", b"okapi")
    ann.finds("okapi", "/g/one.txt", "/g/two.txt")
    ann.sdk.files_delete_v2("/g/one.txt")
    equal(list(found(ann, "okapi")), ["/g/two.txt"], "on the very next request")
    ann.sdk.files_delete_v2("/g")
    equal(found(ann, "okapi"), {})
    wait_until(lambda: "/g/two.txt" in found(ann, "two", file_status=files.FileStatus.deleted))


def test_a_new_version_and_a_new_name(ann):
    ann.put("/m/first.txt", b"capybara")
    ann.finds("capybara", "/m/first.txt")
    ann.put("/m/first.txt", b"chinchilla")
    ann.finds("chinchilla", "/m/first.txt")
    wait_until(lambda: not found(ann, "capybara"))
    ann.sdk.files_move_v2("/m/first.txt", "/m/second.txt")
    wait_until(lambda: list(found(ann, "chinchilla")) == ["/m/second.txt"])
    ann.sdk.files_move_v2("/m", "/n")
    equal(list(found(ann, "chinchilla")), ["/n/second.txt"], "a folder's rename is seen at once")


def test_nobody_elses(ann, bob):
    ann.put("/private.txt", b"axolotl")
    ann.put("/secret.txt", b"axolotl")
    ann.finds("axolotl", "/private.txt", "/secret.txt")
    equal(found(bob, "axolotl"), {})
    cursor = ann.sdk.files_search_v2("axolotl", Options(max_results=1)).cursor
    for stolen in (cursor, "garbage", cursor[:-1]):
        refused("invalid_argument", bob.sdk.files_search_continue_v2, stolen)
    equal(len(ann.sdk.files_search_continue_v2(cursor).matches), 1)


def test_any_text_is_a_query(ann):
    queries = ['"', "((", "a OR", "-", "*?", "\\", "💥", "type:", "in:/nowhere", "modified:>x", "a" * 1000, "\u202e", "ns:1:x", "'; drop"]
    for query in queries:
        answer = ann.post("files/search_v2", {"query": query})
        equal(answer.status_code, 200, query[:20])
        equal(ann.post("firefly/search", {"query": query}).status_code, 200, query[:20])
    too_long = ann.post("files/search_v2", {"query": "a" * 1001})
    equal((too_long.status_code, too_long.json()["error"][".tag"]), (409, "invalid_argument"))


if __name__ == "__main__":
    run(globals())
