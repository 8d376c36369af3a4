// Stripe's own form on the pay page and among the cards on file, and the payer's bank in a window over it. Card numbers never come here: Stripe's script gives
// a token for them. What Stripe's script says of a payment is not read: the page that is gone to asks the processor.
"use strict";

(() => {
  const drawn = document.querySelector("[data-card-form]");
  const asked = document.querySelector("[data-bank]");
  const notLoaded = "Stripe's part of this page did not load. Check the connection, and load the page again. Nothing was charged.";

  const tell = (place, words) => {
    place.textContent = words;
    place.hidden = !words;
  };

  const takeCards = () => {
    const form = drawn.closest("form");
    const token = form.querySelector('[name="token"]');
    const problem = document.getElementById("card-problem");
    const button = form.querySelector("button.primary");
    if (!window.Stripe) {
      tell(problem, notLoaded);
      button.remove();
      return;
    }
    const stripe = window.Stripe(JSON.parse(drawn.dataset.cardForm).publishable_key);
    const amount = Number(drawn.dataset.amount); // none where the card is only kept on file
    const elements = stripe.elements({
      ...(amount ? { mode: "payment", amount } : { mode: "setup" }),
      currency: drawn.dataset.currency.toLowerCase(),
      paymentMethodTypes: ["card"],
    });
    elements.create("payment", { wallets: { applePay: "never", googlePay: "never" } }).mount("#card-fields");

    let working = false;
    const ready = () => {
      working = false;
      button.removeAttribute("aria-disabled");
    };
    const askForToken = async () => {
      const checked = await elements.submit();
      if (checked.error) throw checked.error;
      const made = await stripe.createConfirmationToken({ elements });
      if (made.error) throw made.error;
      return made.confirmationToken.id;
    };
    form.addEventListener("submit", async (event) => {
      if (token.value) return;
      event.preventDefault();
      if (working) return;
      working = true;
      button.setAttribute("aria-disabled", "true");
      tell(problem, "");
      try {
        token.value = await askForToken();
      } catch (wrong) {
        ready();
        if (wrong.type !== "validation_error") tell(problem, wrong.message || notLoaded); // those stand in the form itself
        return;
      }
      form.requestSubmit(button);
    });
    window.addEventListener("pageshow", () => {
      token.value = "";
      ready();
    });
  };

  // The bank's window opens by itself once; after that the payer opens it, so that a window that fails can't go round in circles.
  const askBank = () => {
    const form = JSON.parse(asked.dataset.bank);
    const problem = document.createElement("p");
    const actions = asked.querySelector(".actions");
    actions.before(problem);
    problem.setAttribute("role", "alert");
    if (!window.Stripe) {
      tell(problem, notLoaded);
      return;
    }
    const open = async () => {
      try {
        await window.Stripe(form.publishable_key).handleNextAction({ clientSecret: form.client_secret });
      } catch {
        // Whatever went wrong in it, the processor knows how the payment stands.
      }
      location.replace(asked.dataset.return);
    };
    const seen = `bank:${asked.dataset.state}`;
    if (!sessionStorage.getItem(seen)) {
      sessionStorage.setItem(seen, "yes");
      open();
      return;
    }
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button primary";
    button.textContent = "Open the bank's window";
    button.addEventListener("click", open);
    actions.prepend(button);
  };

  if (drawn) takeCards();
  if (asked) askBank();
})();
