import { onKey } from "./keys.js";
import { nextTask } from "./next.js";
import "./undo.js";

document.getElementById("next").addEventListener("click", nextTask);
onKey("n", nextTask);
