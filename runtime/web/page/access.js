// The token of `camlite serve`: asked for in the page, kept for this tab, sent with each request.
const token = () => sessionStorage.getItem("token") || "";
const authorization = () => (token() ? { Authorization: `Bearer ${token()}` } : {});

// -> fetch with the token. Where the server asks for one, so does the page, and the request fails in words.
export function guarded(page) {
  const form = page.element("access"), field = page.element("token");
  const ask = () => { form.hidden = false; field.focus(); };
  if (!token()) ask();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    sessionStorage.setItem("token", field.value.trim());
    page.say("Trying the token …");
    const status = await fetch("metrics", { headers: authorization() }).then((answer) => answer.status, () => 0);
    if (status === 401) {
      sessionStorage.removeItem("token");
      return page.say("That is not the token of this server.", true);
    }
    if (status !== 200) return page.say("The server does not answer; try again.", true);
    field.value = "";
    form.hidden = true;
    page.again();
  });
  return async (address, options = {}) => {
    const answer = await fetch(address, { ...options, headers: { ...options.headers, ...authorization() } });
    if (answer.status !== 401) return answer;
    const wrong = Boolean(token());
    sessionStorage.removeItem("token");
    ask();
    throw Object.assign(new Error(wrong ? "The token is not valid any more; enter it again."
      : "This server asks for its token; enter it first."), { fatal: true });
  };
}
