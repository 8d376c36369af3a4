// What makes the pages quicker; every page works without it. Nothing is loaded from elsewhere and nothing moves by itself.
"use strict";

(() => {
  document.documentElement.classList.add("scripted");

  const fetchPage = async (address) => {
    const answer = await fetch(address, { headers: { "X-Poll": "1" }, credentials: "same-origin", redirect: "manual" });
    if (answer.type === "opaqueredirect") location.replace(address);
    if (!answer.ok) return null;
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  };

  // The tab of this page is in view, where not all of them fit beside each other.
  const tab = document.querySelector(".tabs [aria-current]");
  if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - (tab.parentElement.clientWidth - tab.offsetWidth) / 2;

  // A message or a list of problems takes the focus, so that it is read first.
  const spokenFirst = document.querySelector("[data-focus]");
  if (spokenFirst) spokenFirst.focus();

  // A form is sent once; coming back to the page with the browser's button makes it ready again.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    // by its attribute: a field that is called "method" hides the form's own property
    if (form.getAttribute("method") !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    if (form.elements.hosted) sessionStorage.setItem("onward", "yes");
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
    const pressed = event.submitter;
    if (pressed && pressed.dataset.busy) {
      pressed.dataset.idle = pressed.textContent;
      pressed.textContent = pressed.dataset.busy;
    }
    for (const waiting of form.querySelectorAll("[data-waiting]")) waiting.textContent = waiting.dataset.waiting;
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("button")) {
        button.removeAttribute("aria-disabled");
        if (button.dataset.idle) button.textContent = button.dataset.idle;
      }
      for (const waiting of form.querySelectorAll("[data-waiting]")) waiting.textContent = "";
    }
  });

  // Another amount is shown on the buttons before anything is paid: until it is, none of them sends.
  for (const field of document.querySelectorAll("[data-part] [name=amount]")) {
    field.addEventListener("change", () => {
      for (const form of document.querySelectorAll('form[method="post"]')) if (form !== field.form) form.dataset.sent = "yes";
      field.form.requestSubmit(field.form.querySelector("button"));
    });
  }

  // Who asked for the processor's page is sent on to it, where that takes a form; coming back with the browser's button stays here.
  const onward = document.querySelector("form[data-elsewhere]");
  const asked = sessionStorage.getItem("onward");
  sessionStorage.removeItem("onward");
  if (onward && asked) onward.requestSubmit();

  // A page that waits for the processor looks again by itself and shows the end when it is known.
  const followed = document.querySelector("[data-follow]");
  if (followed) {
    const look = async () => {
      const page = await fetchPage(followed.dataset.follow).catch(() => null);
      const found = page && page.querySelector("[data-follow]");
      if (page && (!found || found.dataset.state !== followed.dataset.state)) {
        location.replace(followed.dataset.follow);
        return;
      }
      setTimeout(look, 2000);
    };
    setTimeout(look, 1000);
  }

  // Choosing a type draws the fields that it needs, in place.
  for (const select of document.querySelectorAll("select[data-draws]")) {
    select.addEventListener("change", async () => {
      const address = new URL(select.dataset.from, location.href);
      address.searchParams.set(select.name, select.value);
      const page = await fetchPage(address).catch(() => null);
      const fresh = page && page.getElementById(select.dataset.draws);
      if (fresh) document.getElementById(select.dataset.draws).replaceWith(fresh);
    });
  }

  // The printer is a button away; without script the browser's own menu has it.
  for (const button of document.querySelectorAll("button[data-prints]")) button.addEventListener("click", () => window.print());

  // Another line of an invoice is added in place instead of by a round trip.
  for (const button of document.querySelectorAll("button[data-adds]")) {
    button.addEventListener("click", (event) => {
      const lines = document.getElementById(button.dataset.adds);
      const model = lines && lines.lastElementChild;
      if (!model) return;
      event.preventDefault();
      const number = lines.children.length;
      const line = model.cloneNode(true);
      for (const wrong of line.querySelectorAll(".wrong")) wrong.remove();
      for (const part of line.querySelectorAll("[name], [for], [id]")) {
        for (const name of ["name", "for", "id"]) {
          if (part.hasAttribute(name)) part.setAttribute(name, part.getAttribute(name).replace(/lines-\d+-/, `lines-${number}-`));
        }
        part.removeAttribute("aria-invalid");
        part.removeAttribute("aria-describedby");
        if ("value" in part) part.value = "";
      }
      const heading = line.querySelector("[data-line]");
      if (heading) heading.textContent = `Line ${number + 1}`;
      lines.append(line);
      line.querySelector("input").focus();
    });
  }

  // Menus close on Escape and when something else is pressed.
  const menus = () => document.querySelectorAll("details.menu[open]");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => {
    for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
  });
})();
