"""What the workbench says, in Vietnamese and English.

Belongs here: the texts of pages. Does not belong here: what is said of a record
(``etl/explain/tell.py``) and the labels of codes (``etl/domain/codes.py``).
"""

from __future__ import annotations

from etl.domain.words import Words

SAID = {
    "workbench": Words("Bàn đối soát", "Reconciliation desk"),
    "skip_to_content": Words("Đến nội dung chính", "Skip to the content"),
    "home": Words("Tổng quan", "Overview"),
    "queues": Words("Hồ sơ chờ xử lý", "What waits"),
    "search": Words("Tra cứu", "Search"),
    "asked": Words("Câu hỏi cho tôi", "Asked of me"),
    "my_decisions": Words("Tôi đã quyết định", "Decided by me"),
    "open_again": Words("Mở lại hồ sơ", "Open the case again"),
    "access": Words("Nhật ký truy cập", "Access log"),
    "users": Words("Người dùng", "Users"),
    "log_in": Words("Đăng nhập", "Log in"),
    "log_out": Words("Đăng xuất", "Log out"),
    "name": Words("Tên người dùng", "User name"),
    "password": Words("Mật khẩu", "Password"),
    "wrong_password": Words(
        "Tên hoặc mật khẩu không đúng.", "The name or the password is not right."
    ),
    "too_many_tries": Words(
        "Đã thử sai quá nhiều lần. Hãy thử lại sau mười phút.",
        "Too many wrong tries. Try again in ten minutes.",
    ),
    "language": Words("English", "Tiếng Việt"),
    "queue": Words("Loại việc", "Queue"),
    "all": Words("tất cả", "all"),
    "province": Words("Tỉnh", "Province"),
    "office": Words("Cơ quan", "Office"),
    "why": Words("Lý do", "Reason"),
    "step": Words("Bước tìm thấy", "Found at"),
    "chance": Words("Khả năng", "Probability"),
    "age": Words("Đã chờ", "Open for"),
    "record": Words("Hồ sơ", "Record"),
    "status": Words("Trạng thái", "Status"),
    "open_by": Words("Đang mở bởi", "Open with"),
    "filter": Words("Lọc", "Filter"),
    "reset": Words("Bỏ lọc", "All of them"),
    "first": Words("Mở hồ sơ đầu tiên", "Open the first"),
    "more": Words("Trang sau", "Next page"),
    "from_start": Words("Về trang đầu", "Back to the first page"),
    "none_wait": Words("Không còn hồ sơ nào chờ ở đây.", "Nothing waits here."),
    "days": Words("ngày", "days"),
    "cases": Words("hồ sơ", "cases"),
    "of_run": Words("Kết quả của lần chạy", "The result of run"),
    "began": Words("bắt đầu", "begun"),
    "waiting_by_office": Words(
        "Đang chờ, theo cơ quan và thời gian", "What waits, by office and age"
    ),
    "up_to_7": Words("đến 7 ngày", "up to 7 days"),
    "up_to_30": Words("đến 30 ngày", "up to 30 days"),
    "up_to_90": Words("đến 90 ngày", "up to 90 days"),
    "over_90": Words("trên 90 ngày", "over 90 days"),
    "total": Words("tổng số", "all"),
    "this_week": Words("Quyết định trong 7 ngày qua", "Decided in the last 7 days"),
    "nobody_decided": Words("Chưa có quyết định nào.", "Nothing was decided."),
    "who": Words("Ai", "Who"),
    "records": Words("Hồ sơ theo trạng thái", "Records by status"),
    "record_side": Words("Hồ sơ bảo hiểm", "Insurance record"),
    "citizen_side": Words("CSDL dân cư", "Population register"),
    "differs": Words("khác", "differs"),
    "evidence": Words("Bằng chứng", "Evidence"),
    "chart": Words("Biểu đồ bằng chứng", "Chart of the evidence"),
    "history": Words("Lịch sử", "History"),
    "no_history": Words("Chưa từng ghép với ai.", "It was never linked."),
    "linked_from": Words("ghép từ", "linked from"),
    "linked_to": Words("đến", "to"),
    "still": Words("nay", "now"),
    "sent_to": Words("đã gửi danh sách", "sent with a worklist"),
    "due": Words("hạn trả lời", "due"),
    "answered": Words("trả lời", "answered"),
    "others": Words(
        "Hồ sơ khác cùng công dân hoặc cùng số", "Other records of the citizen or number"
    ),
    "shared_citizen": Words("cùng công dân", "the same citizen"),
    "shared_insurance_number": Words("cùng mã số BHXH", "the same insurance number"),
    "shared_id_number": Words("cùng số định danh", "the same identity number"),
    "elsewhere": Words("Một hồ sơ do tỉnh khác quản lý", "A record that another province keeps"),
    "crowd": Words("hồ sơ mang số này", "records carry this number"),
    "wrong": Words("Sai lệch", "What disagrees"),
    "proposals": Words("Đề nghị sửa", "Proposed corrections"),
    "steps": Words("Các bước đã thử", "The steps that were tried"),
    "as_recorded": Words("Ghi trong hồ sơ, và cách hiểu", "As recorded, and as understood"),
    "decide": Words("Quyết định", "Decide"),
    "is_candidate": Words("Đúng là ứng viên", "It is candidate"),
    "is_linked": Words("Đúng là công dân đã ghép", "It is the citizen it is linked to"),
    "not_linked": Words("Không phải công dân đã ghép", "It is not the citizen it is linked to"),
    "is_none": Words("Không phải ai trong số này", "It is none of them"),
    "is_other": Words("Là công dân khác, số định danh:", "It is another citizen, number:"),
    "no_person": Words(
        "Không phải của công dân nào (hồ sơ không có thật)",
        "It is no citizen's (not a real record)",
    ),
    "keep_this": Words("Giữ hồ sơ này, gộp các hồ sơ kia", "Keep this record, merge the others"),
    "keep_other": Words("Giữ hồ sơ", "Keep record"),
    "reason": Words(
        "Căn cứ (giấy tờ đã xem, ai xác nhận)", "Reason (what was seen, who confirmed)"
    ),
    "reason_needed": Words(
        "Hãy ghi căn cứ: giấy tờ nào đã xem, ai xác nhận.",
        "Say the reason: which paper was seen, who confirmed it.",
    ),
    "reason_too_long": Words(
        "Căn cứ dài quá 1.000 chữ; hãy viết ngắn lại.",
        "The reason has more than 1,000 characters; write less.",
    ),
    "number_needed": Words(
        "Hãy ghi đủ 12 chữ số của số định danh.", "Write all 12 digits of the personal number."
    ),
    "unknown_citizen": Words(
        "Không có công dân nào mang số định danh này.", "No citizen has this personal number."
    ),
    "too_many_numbers": Words(
        "Đã thử quá nhiều số định danh. Hãy thử lại sau mười phút.",
        "Too many personal numbers were tried. Try again in ten minutes.",
    ),
    "too_different": Words(
        "Cả họ tên và ngày sinh đều khác: hãy nhờ cán bộ đối soát toàn quốc quyết định.",
        "Neither name nor birth date come near: ask a national steward to decide.",
    ),
    "look_twice": Words(
        "Công dân này không có trong danh sách ứng viên. So với hồ sơ:",
        "This citizen is none of the candidates. Beside the record:",
    ),
    "confirm_other": Words(
        "Nếu đúng, bấm ghi quyết định lần nữa.", "If it is right, save once more."
    ),
    "cannot_be_decided": Words(
        "Không quyết định được như vậy về hồ sơ này; hãy mở lại trang.",
        "That cannot be decided on this record; open the page again.",
    ),
    "note_needed": Words(
        "Ghi chú cần có từ 1 đến 2.000 chữ.", "A note has between 1 and 2,000 characters."
    ),
    "note_written": Words("Đã ghi.", "Written."),
    "session_ended": Words(
        "Phiên làm việc đã hết; điều vừa gửi CHƯA được ghi. Đăng nhập để quay lại hồ sơ.",
        "The session had ended; what you sent was NOT saved. Log in to go back to the case.",
    ),
    "undo_reason": Words("Vì sao hoàn tác", "Why it is taken back"),
    "was_undone": Words("đã hoàn tác", "taken back"),
    "elsewhere_in_list": Words("và các cơ quan khác", "and other offices"),
    "partner_decided": Words(
        "Về hồ sơ khác của cùng người, vừa có quyết định:",
        "On another record of the same person, it was decided:",
    ),
    "dead_yes": Words(
        "Đúng là công dân đã ghép, đã mất: hồ sơ cần dừng",
        "It is the citizen it is linked to, who has died: the record must end",
    ),
    "date_unread": Words(
        "Không đọc được ngày sinh: hãy ghi ngày/tháng/năm, hoặc chỉ năm.",
        "The birth date could not be read: write day/month/year, or the year.",
    ),
    "to_decision": Words("Đến phần quyết định", "To the decision"),
    "choose_one": Words("Hãy chọn một trong các phương án.", "Choose one of the answers."),
    "save": Words("Ghi quyết định, mở hồ sơ sau", "Save, and open the next"),
    "skip": Words("Bỏ qua", "Skip"),
    "undo": Words("Hoàn tác quyết định", "Take the decision back"),
    "decided_applies": Words(
        "Đã quyết định; áp dụng từ lần chạy sau.", "Decided; it applies with the next run."
    ),
    "undone": Words("Đã hoàn tác.", "Taken back."),
    "same_already": Words("Điều này đã được quyết định từ trước.", "The same was decided already."),
    "decided_meanwhile": Words(
        "Trong lúc đó đã có người quyết định về hồ sơ này; hãy xem lại trước khi quyết định.",
        "Somebody has decided on this record meanwhile; look at it before you decide.",
    ),
    "changed_meanwhile": Words(
        "Trong lúc đó đã có kết quả mới; hãy xem lại hồ sơ.",
        "There is a newer result meanwhile; look at the record again.",
    ),
    "held": Words("đang mở hồ sơ này", "has this case open"),
    "held_advice": Words(
        "Hai người cùng quyết định một hồ sơ thì dễ nhầm: hãy hỏi người đó, hoặc bỏ qua.",
        "Two people who decide on one case easily make mistakes: ask that person, or skip it.",
    ),
    "decide_all_the_same": Words("Vẫn quyết định", "Decide all the same"),
    "notes": Words("Ghi chú, hỏi đồng nghiệp", "Notes, questions to a colleague"),
    "note": Words("Ghi chú", "Note"),
    "ask": Words("Hỏi đồng nghiệp (tên người dùng)", "Ask a colleague (user name)"),
    "write_note": Words("Ghi", "Write"),
    "asks": Words("hỏi", "asks"),
    "unknown_colleague": Words(
        "Không có đồng nghiệp nào tên như vậy có thể xem hồ sơ này.",
        "No colleague of that name may see this record.",
    ),
    "nothing_asked": Words("Không có câu hỏi nào.", "Nothing is asked of you."),
    "search_for": Words(
        "Mã hồ sơ, mã số BHXH, số định danh, hoặc họ tên",
        "Record id, insurance number, personal number, or name",
    ),
    "born": Words("Ngày sinh hoặc năm sinh (khi tra theo tên)", "Birth date or year (with a name)"),
    "found_cut": Words(
        "Có thể còn hồ sơ khác. Hãy tìm hẹp hơn: theo mã hồ sơ, hoặc họ tên và ngày sinh.",
        "There may be more. Search more closely: by record id, or by name and birth date.",
    ),
    "nothing_found": Words(
        "Không tìm thấy trong các tỉnh của bạn. Tra theo tên cần cả ngày sinh hoặc năm sinh.",
        "Nothing found in your provinces. A name needs a birth date or year beside it.",
    ),
    "found": Words("hồ sơ tìm thấy", "records found"),
    "waits": Words("đang chờ", "waits"),
    "not_here": Words("Không có hồ sơ này", "No such record here"),
    "not_here_advice": Words(
        "Hồ sơ không tồn tại, hoặc thuộc tỉnh khác.",
        "There is none, or another province keeps it.",
    ),
    "not_allowed": Words("Không được phép", "Not allowed"),
    "not_allowed_advice": Words(
        "Vai trò của bạn không mở được trang này.", "Your role does not open this page."
    ),
    "no_page": Words("Không có trang này", "No such page"),
    "out_of_order": Words("Chưa làm được", "That did not work"),
    "old_form": Words(
        "Trang đã mở quá lâu. Hãy mở lại.", "The page was open too long. Open it again."
    ),
    "keys": Words(
        "Phím tắt: 1–9 chọn ứng viên, 0 không ai, r căn cứ, s bỏ qua, n hồ sơ sau, ? giúp",
        "Keys: 1–9 choose a candidate, 0 none, r reason, s skip, n next, ? help",
    ),
    "role": Words("Vai trò", "Role"),
    "when": Words("Lúc", "When"),
    "what": Words("Việc", "What"),
    "pseudonym": Words("Mã hồ sơ", "Record key"),
    "no_result": Words("Chưa có kết quả nào được công bố.", "No result has been published yet."),
}

QUEUES = {
    "contradicted": Words("Quyết định cần xem lại", "Decisions to look at again"),
    "review": Words("Chờ chọn công dân", "Choose the citizen"),
    "shared": Words("Trùng hồ sơ, trùng số", "Duplicates and shared numbers"),
    "deceased": Words("Đã mất nhưng còn hiệu lực", "Deceased but active"),
}

AGES = {
    "7": Words("đến 7 ngày", "up to 7 days"),
    "30": Words("8–30 ngày", "8 to 30 days"),
    "90": Words("31–90 ngày", "31 to 90 days"),
    "older": Words("trên 90 ngày", "over 90 days"),
}

CHANCES = {
    "high": Words("từ 90%", "90% and more"),
    "middle": Words("50–90%", "50 to 90%"),
    "low": Words("dưới 50%", "below 50%"),
}

ROLES = {
    "steward": Words("cán bộ đối soát tỉnh", "steward of a province"),
    "national": Words("cán bộ đối soát toàn quốc", "national steward"),
    "viewer": Words("xem số liệu", "viewer of counts"),
    "administrator": Words("quản trị", "administrator"),
}

COMMANDS = {
    "console": Words("mở hồ sơ", "opened a case"),
    "console search": Words("tra cứu", "found by a search"),
    "console refused": Words("bị từ chối (tỉnh khác)", "refused (another province)"),
    "console compare": Words("so với công dân khác", "compared with another citizen"),
    "decide": Words("quyết định", "decided"),
    "undo": Words("hoàn tác", "took back"),
    "explain": Words("xem bằng lệnh", "explained by command"),
}
"""The names of actions in the access log, in words."""
