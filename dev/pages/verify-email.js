const token = new URLSearchParams(location.hash.slice(1)).get("token");
const say = document.getElementById("say");
const go = document.getElementById("go");

// The token leaves the address bar, so that it is in no screenshot and no history entry.
history.replaceState(null, "", location.pathname);

if (!token) {
  say.textContent = "This link is incomplete. Open it again from the mail.";
  go.hidden = true;
}

go.addEventListener("click", async () => {
  go.disabled = true;
  const answer = await fetch("/v1/auth/verify-email", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
  if (answer.ok) {
    say.textContent = "Your address is verified. You can log in now.";
    go.hidden = true;
    return;
  }
  const problem = await answer.json().catch(() => ({}));
  say.textContent = problem.detail || "This link has expired or was used before.";
  go.disabled = answer.status < 500 && answer.status !== 429;
});
