// Converge's Lightbox over the page that waits for its payment. What it says is shown at most: our server asks Converge how it ended.
// Without its script the link leads to Converge's own page.
"use strict";

(() => {
  const link = document.querySelector("a[data-window]");
  const problem = document.getElementById("card-problem");
  const payment = document.querySelector("[data-follow]");
  if (!link || !payment || !window.PayWithConverge) return;
  const token = JSON.parse(link.dataset.window).token;

  const say = (words) => {
    problem.textContent = words;
    problem.hidden = !words;
    link.focus();
  };
  const open = () => {
    problem.hidden = true;
    window.PayWithConverge.open(
      { ssl_txn_auth_token: token },
      {
        onApproval: () => location.assign(link.dataset.return),
        onDeclined: () => say("The card was declined. Try another card, or ask your bank."),
        onCancelled: () => say("The card form was closed. Open it again, or cancel this payment."),
        onError: () => say("The card form can't be used any more. If you have not paid, you can begin again when the processor has closed it."),
      },
    );
  };

  link.addEventListener("click", (event) => {
    event.preventDefault();
    open();
  });
  // By itself once for each payment: whoever comes back to this page may have paid.
  const begun = `form-opened-${payment.dataset.state}`;
  if (!sessionStorage.getItem(begun)) {
    sessionStorage.setItem(begun, "yes");
    open();
  }
})();
