// What a tab remembers (leases, drafts, the offer to undo) is of one person: whoever signs in next finds none of it.

const OWNER = "owner";
const user = document.querySelector('meta[name="user"]')?.content;

if (user !== undefined && sessionStorage.getItem(OWNER) !== user) {
  sessionStorage.clear();
  sessionStorage.setItem(OWNER, user);
}
document.getElementById("sign-out")?.addEventListener("submit", () => sessionStorage.clear());

export const remembered = sessionStorage;
