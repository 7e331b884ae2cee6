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
  if (event.key === "n") {
    if (!press("#next")) press("#skip button");
    return;
  }
  if (!decide) return;
  if (event.key === "s") press("#skip button");
  else if (event.key === "r") {
    event.preventDefault();
    document.getElementById("reason").focus();
  } else if (event.key === "?") document.querySelector(".keys").scrollIntoView();
  else if (/^[0-9a-z]$/.test(event.key)) {
    const answer = decide.querySelector(`[data-key="${event.key}"]`);
    if (!answer) return;
    event.preventDefault();
    answer.checked = true;
    answer.focus();
    if (event.key === "o") decide.querySelector("[name=citizen]").focus();
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

document.addEventListener("DOMContentLoaded", () => {
  const told = document.querySelector("[data-focus]");
  if (told) told.focus();
});
