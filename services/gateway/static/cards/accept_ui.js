// Authorize.net's own window over the pay page (AcceptUI): the Pay button opens it, and what it gives in place of the card is sent.
"use strict";

(() => {
  const place = document.querySelector("[data-card-form]");
  const known = JSON.parse(place.dataset.cardForm);
  const form = place.closest("form");
  const button = place.querySelector("button");
  const problem = document.getElementById("card-problem");

  const say = (words) => {
    problem.textContent = words;
    problem.hidden = false;
  };

  // Until there is a token the button sends nothing; Authorize.net's script finds it by its class and opens the window.
  const ready = () => {
    form.elements.token.value = "";
    button.type = "button";
  };
  const words = {
    apiLoginID: known.api_login_id,
    clientKey: known.client_key,
    responseHandler: "takeCardToken",
    acceptUIFormHeaderTxt: "Card",
    acceptUIFormBtnTxt: button.textContent.trim(),
    paymentOptions: JSON.stringify({ showCreditCard: true, showBankAccount: false }),
    billingAddressOptions: JSON.stringify({ show: true, required: false }),
  };
  for (const [name, value] of Object.entries(words)) button.setAttribute(`data-${name}`, value);
  button.classList.add("AcceptUI");
  ready();
  window.addEventListener("pageshow", ready);

  window.takeCardToken = (answer) => {
    const given = answer.messages.resultCode === "Ok" ? answer.opaqueData : null;
    if (!given || given.dataDescriptor !== known.descriptor) {
      say("Authorize.net's form didn't take the card. Nothing was charged. Load this page again, or try later.");
      return;
    }
    problem.hidden = true;
    form.elements.token.value = given.dataValue;
    button.type = "submit";
    form.requestSubmit(button);
  };

  window.addEventListener("load", () => {
    if (window.AcceptUI || document.getElementById("AcceptUIContainer")) return;
    say("Authorize.net's form could not be loaded. Check the connection, then load this page again. Nothing was charged.");
  });
})();
