// Keys of the workbench, and the focus after an answer. Without it every page works all the same.
"use strict";

function typing(target) {
  return target.closest("input:not([type=radio]), textarea, select") !== null;
}

function press(selector) {
  const found = document.querySelector(selector);
  if (found) found.click();
  return found;
}

document.addEventListener("keydown", (event) => {
  // Enter ends a word that an input method is still composing.
  if (event.isComposing || event.keyCode === 229) return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const decide = document.getElementById("decide");
  if (event.key === "Escape" && typing(event.target)) {
    event.target.blur();
    return;
  }
  if (typing(event.target)) {
    if (event.key === "Enter" && event.target.id === "reason" && !event.shiftKey) {
      event.preventDefault();
      decide.requestSubmit();
    }
    return;
  }
  const key = event.key.toLowerCase();
  if (key === "n") {
    if (!press("#next")) press("#skip button");
    return;
  }
  if (!decide) return;
  if (key === "s") press("#skip button");
  else if (key === "r") {
    event.preventDefault();
    document.getElementById("reason").focus();
  } else if (event.key === "?") document.querySelector(".keys").scrollIntoView();
  else if (/^[0-9a-z]$/.test(key)) {
    const answer = decide.querySelector(`[data-key="${key}"]`);
    if (!answer) return;
    event.preventDefault();
    answer.checked = true;
    answer.focus();
    if (key === "o") decide.querySelector("[name=citizen]").focus();
  }
});

// A second click while the first is on its way sends nothing.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});

// A page that the browser kept and shows again may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// What is typed into a case is kept in this tab until it is saved: a note, a skip or a session that
// has ended loses nothing.
function draft() {
  const decide = document.getElementById("decide");
  return decide && { decide, name: `draft ${location.pathname}` };
}

function keepDraft() {
  const { decide, name } = draft();
  const answer = decide.querySelector("[name=answer]:checked");
  const typed = { answer: answer ? answer.value : "", reason: decide.reason.value };
  sessionStorage.setItem(name, JSON.stringify(typed));
}

function restoreDraft() {
  const { decide, name } = draft();
  const typed = JSON.parse(sessionStorage.getItem(name) || "{}");
  if (typed.reason && !decide.reason.value) decide.reason.value = typed.reason;
  if (!typed.answer || decide.querySelector("[name=answer]:checked")) return;
  if (document.querySelector(".error[data-focus]")) return;
  for (const one of decide.querySelectorAll("[name=answer]")) {
    if (one.value === typed.answer) one.checked = true;
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const here = draft();
  if (here) {
    restoreDraft();
    here.decide.addEventListener("input", keepDraft);
  }
  const logout = document.querySelector('form[action="/logout"]');
  if (logout) logout.addEventListener("submit", () => sessionStorage.clear());
  // A decision that was taken leaves a message on the next page: its draft is no longer needed.
  const taken = document.querySelector(".said a[href^='/case/']");
  if (taken) sessionStorage.removeItem(`draft ${taken.getAttribute("href")}`);
});

document.addEventListener("DOMContentLoaded", () => {
  const told = document.querySelector("[data-focus]");
  if (told) told.focus();
});
